#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::rpc {

// Who is at the other end of a connection, as the kernel saw it when it was made (SO_PEERCRED). A
// socket that is passed on to another process keeps the identity of the one that connected.
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups = {};  // besides its primary one
  // Null when the process had ended before it could be opened.
  std::shared_ptr<const UniqueFd> process;  // a pidfd
};

// Reads the identity of a connected Unix socket's other end.
[[nodiscard]] Result<Peer> ReadPeer(FdRef socket);

// Leads gRPC's name of a connection ("fd:4711", ServerContext::peer()) back to its peer.
//
// Descriptor numbers are reused, so a call that was read from a connection just before it closed
// could be taken for one of the next peer. Every socket is therefore moved to a number from a range
// that is used in turn: a number comes back only after thousands of other connections.
//
// The table keeps a copy of every socket, because gRPC does not say when it closes one: the copy
// hangs up when either side does. gRPC threads call Lookup(); the rest belongs to the loop's
// thread.
class PeerTable {
 public:
  [[nodiscard]] static Result<std::unique_ptr<PeerTable>> Create();
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;
  PeerTable(PeerTable&&) = delete;
  PeerTable& operator=(PeerTable&&) = delete;
  ~PeerTable() = default;

  // Gives the socket back under its new number. Fails with EMFILE where descriptors are used up.
  [[nodiscard]] Result<UniqueFd> Add(UniqueFd socket, Peer peer);
  // Null when the name is not of a connection that is still open: the caller has gone.
  [[nodiscard]] std::shared_ptr<const Peer> Lookup(std::string_view grpc_peer) const;
  [[nodiscard]] std::size_t size() const;

  // Readable when connections have been closed: call DropClosed() then. It gives their number.
  [[nodiscard]] FdRef hang_ups() const { return epoll_.ref(); }
  std::size_t DropClosed();

 private:
  struct Connection {
    UniqueFd copy;
    std::shared_ptr<const Peer> peer;
  };
  PeerTable(UniqueFd epoll, int first, int end);
  void Drop(int number);

  const UniqueFd epoll_;   // every copy, for its hang-up alone
  const int first_, end_;  // the range of numbers
  int next_;
  mutable std::mutex mutex_;
  std::unordered_map<int, Connection> connections_;  // guarded by mutex_, by gRPC's number
};

// Raises this process's limit of open descriptors to what it may have, and returns what it was:
// what is started is to have that. Call it from main() before the peer table is made.
[[nodiscard]] Result<rlimit> RaiseDescriptorLimit();

}  // namespace crd::rpc
