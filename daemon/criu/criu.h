#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/cancel.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

struct Version {
  int major = 0;
  int minor = 0;
  int sublevel = 0;
  auto operator<=>(const Version&) const = default;
  [[nodiscard]] std::string ToString() const;
};

// What is saved of a network namespace that the tree has for itself.
enum class NetworkSaving {
  kDescribed,  // nothing by CRIU: crd can build it again
  kNone,       // the same, but crd may not be able to
  kCriu,       // its contents, by CRIU
};

struct DumpOptions {
  bool leave_running = false;
  bool tcp_established = false;
  bool file_locks = false;
  bool ext_unix_sk = false;
  bool shell_job = false;
  bool link_remap = false;
  bool tcp_skip_in_flight = false;
  std::uint64_t ghost_limit = 0;  // bytes; 0: CRIU's default of 1 MiB
  NetworkSaving network = NetworkSaving::kDescribed;
  bool operator==(const DumpOptions&) const = default;
};

// CRIU's stats-dump, microseconds.
struct DumpStatistics {
  std::uint64_t freezing_us = 0;
  std::uint64_t frozen_us = 0;
  std::uint64_t memdump_us = 0;
  std::uint64_t memwrite_us = 0;
  std::uint64_t pages_scanned = 0;
  std::uint64_t pages_written = 0;
  bool operator==(const DumpStatistics&) const = default;
};

// CRIU's stats-restore.
struct RestoreStatistics {
  std::uint64_t forking_us = 0;
  std::uint64_t restore_us = 0;
  std::uint64_t pages_restored = 0;
};

enum class DumpStage {
  kPreDump,        // nothing has been touched
  kNetworkLock,    // frozen; only for a tree with a network namespace of its own
  kPostDump,       // all images are complete, the tree is still frozen: the last veto
  kNetworkUnlock,  // the tree goes on running
};

enum class RestoreStage {
  kPreRestore,       // nothing exists yet
  kSetupNamespaces,  // only for a tree with namespaces of its own
  kPostSetupNamespaces,
  kPostRestore,  // everything is restored, nothing runs yet: the last veto. Has the root's pid
  kNetworkUnlock,
  kPreResume,
  kPostResume,
};

// Called on the thread that called Dump() or Restore(), while CRIU waits for the answer. An error
// vetoes: CRIU then undoes its work where the stage still allows it, and the error comes back from
// Dump() or Restore() at whatever stage it was raised. Once there is a reason to stop only
// kNetworkUnlock is still told, even when kNetworkLock never was: it must not mind.
using DumpObserver = std::function<Result<void>(DumpStage)>;
using RestoreObserver = std::function<Result<void>(RestoreStage, pid_t root)>;

struct DumpRequest {
  pid_t pid = 0;
  FdRef images{-1};  // directory of the images
  FdRef work{-1};    // directory of log and statistics
  DumpOptions options;
  std::vector<std::string> external;  // criu(8) --external, e.g. "unix[12345]"
  // Directory of a v1 freezer or cgroup2 that holds the whole tree and nothing else; empty: CRIU
  // stops process by process. CRIU polls every 100 ms unless it is frozen already (4.2).
  std::string freeze_cgroup;
  // A terminal on a devpts of the tree's own may have its master outside of it: a container's
  // console. CRIU takes one at most.
  bool console = false;
  // What is in the root's own network namespace is not dumped; to be given at the restore, too.
  bool empty_netns = false;
  // Namespaces that CRIU runs in instead of ours: what the tree has of them is not its own then,
  // and no part of the images. To be given at the restore, too.
  std::vector<FdRef> namespaces;
  FdRef cgroup{-1};  // directory of the cgroup2 that CRIU runs in
  Deadline deadline = kNoDeadline;
};

struct RestoreRequest {
  FdRef images{-1};
  FdRef work{-1};
  bool tcp_established = false;
  bool tcp_close = false;
  bool file_locks = false;
  bool ext_unix_sk = false;
  bool shell_job = false;
  bool link_remap = false;
  std::vector<std::string> external;
  // Key of the resource in the images ("pipe:[123]", "tty[8800:1a]") and what takes its place.
  std::vector<std::pair<std::string, FdRef>> inherit;
  // Where a container's root is mounted for it: what becomes "/" of its mount namespace.
  std::string root;
  bool empty_netns = false;
  // A device node may be found under another path than at the dump.
  bool evasive_devices = false;
  // CRIU and with it the restored tree run in this cgroup2: what a failed restore leaves behind is
  // killed through it.
  FdRef cgroup{-1};
  // Directories of v1 cgroups that they run in besides.
  std::vector<std::string> cgroups_v1;
  // Of a tree with a cgroup namespace of its own: CRIU makes it, with the cgroups as roots that it
  // runs in (cgroup_yard.h).
  std::string cgroup_yard;
  // Namespaces that CRIU runs in instead of ours: those of mounts for itself, all others for the
  // tree, of which it knows nothing.
  std::vector<FdRef> namespaces;
  // Namespaces to join that CRIU then does not make: "ipc", "uts", "time", and a path.
  std::vector<std::pair<std::string, std::string>> join;
  // Of a dump with `console`: takes the master of the terminal, which CRIU has made anew, before
  // kPostRestore. As an observer: an error vetoes.
  std::function<Result<void>(UniqueFd)> take_console;
  Deadline deadline = kNoDeadline;
};

struct DumpReport {
  DumpStatistics statistics;
};

struct RestoreReport {
  // Adopted by Children since kPostRestore: Disown() it once it has been reaped. When a restore
  // fails it is disowned again, and what CRIU has killed of it is for ReapStrangers().
  pid_t pid = 0;
  RestoreStatistics statistics;
};

// CRIU, as far as crd needs it. Implementations are thread-safe; Dump() and Restore() block and
// must be called from a thread that lives as long as the process: it becomes the restored tree's
// parent.
//
// Fails with kDeadlineExceeded or kCancelled when stopped, with the observer's own error when that
// vetoed, otherwise with CRIU's diagnosis (log_lines hold its words). When an error comes back CRIU
// itself has ended; `Error::reason` is "CRIU_KILLED" if it could not clean up after itself (killed
// or crashed: connections may be in repair mode, a network lock may be left behind).
//
// Once kPostDump or kPostRestore was agreed to, cancellation no longer counts and the deadline only
// after 30 s more. An error after that tells how CRIU ended, not what became of the tree: look.
class Criu {
 public:
  virtual ~Criu() = default;
  virtual Result<DumpReport> Dump(const DumpRequest& request, const DumpObserver& observer,
                                  const CancelToken& cancel) = 0;
  virtual Result<RestoreReport> Restore(const RestoreRequest& request,
                                        const RestoreObserver& observer,
                                        const CancelToken& cancel) = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
  [[nodiscard]] virtual const Version& version() const = 0;
  // Empty when this CRIU can work on this kernel, else why it can't and which version would.
  [[nodiscard]] virtual const std::string& problem() const = 0;
};

}  // namespace crd::criu
