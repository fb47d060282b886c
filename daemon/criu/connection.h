#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/cancel.h"
#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// What comes first on a connection.
enum class Arrival {
  kPacket,
  kClosed,  // CRIU has closed its end or has died
  kCancelled,
  kTimeout,
};

struct Incoming {
  Arrival arrival = Arrival::kClosed;
  std::string packet;
  std::vector<UniqueFd> descriptors;  // that CRIU sent along with it
};

// How the CRIU of a connection ended.
struct Ending {
  ExitStatus status;
  bool killed = false;  // by us
  // Ended by a signal, ours or another: what it had begun is not undone.
  [[nodiscard]] bool Violent() const { return killed || status.signal.has_value(); }
  [[nodiscard]] std::string ToString() const;
};

struct ConnectionSpec {
  std::string path;                            // of CRIU
  std::vector<std::pair<FdRef, int>> inherit;  // ours -> CRIU's, all above 3
  FdRef cgroup{-1};                            // of cgroup2, where CRIU and all it forks will be
  std::vector<FdRef> cgroups_v1;               // directories of those that they will be in besides
  std::vector<FdRef> namespaces;               // to start it in, instead of ours
};

// One `criu swrk` process, its descriptors 0 and 1 /dev/null, and the socket to it (AF_UNIX
// SOCK_SEQPACKET, a protobuf message per packet; no message of CRIU's comes near the limit of 1
// MiB). Knows nothing of the messages.
//
// Belongs to one thread, which must live as long as the process when CRIU is to restore: it is the
// restored tree's parent. CRIU is killed and reaped when the connection goes out of scope.
class Connection {
 public:
  // Starts CRIU. Fails when the program can't be started (errno in the error).
  static Result<Connection> Open(Children& children, const ConnectionSpec& spec);

  // Never blocks. Failing means that CRIU has gone or no longer listens; Next() tells.
  [[nodiscard]] Result<void> Send(std::string_view packet) const;

  // Waits for whichever comes first; a packet that is already there wins over everything else.
  // `cancel` may be null. Fails with kDataLoss when a
  // packet is too large, otherwise only if the kernel fails us.
  Result<Incoming> Next(Deadline deadline, const CancelToken* cancel) const;

  void Kill();

  // Closes the socket, gives CRIU until `patience` to end by itself, then kills it; reaps it.
  Ending Finish(Deadline patience);

  // What CRIU wrote to stderr: words from before it had a log, such as the dynamic linker's. At
  // most 2 KiB.
  [[nodiscard]] std::string Complaints() const;

 private:
  Connection(Child child, UniqueFd socket, UniqueFd complaints);

  Child child_;
  UniqueFd socket_;
  UniqueFd complaints_;  // a memfd
  bool killed_ = false;
};

}  // namespace crd::criu
