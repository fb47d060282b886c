#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "daemon/base/unique_fd.h"
#include "daemon/core/network_records.h"
#include "daemon/criu/criu.h"

namespace crd {

// What is asked of the engine, in its own words: values, checked by the engine.

// A container of an OCI runtime's.
struct RuntimeTarget {
  std::string key;      // its id there or a unique prefix of it
  std::string runtime;  // "runc", "crun"; empty: any
  std::string root;     // a state directory to look into besides the known ones; may be empty
};

// A container of an OCI runtime's as its engine describes it.
struct DescribedTarget {
  pid_t pid = 0;  // its init
  std::string runtime;
  std::string id;
  std::string bundle;
  std::string rootfs;      // empty: as the bundle says
  std::string state_path;  // empty: none is kept in step
};

// A process tree by its root's pid; a container that crd knows, by its key, or else a runtime's; a
// runtime's.
using Target = std::variant<pid_t, std::string, RuntimeTarget, DescribedTarget>;

struct CheckpointRequest {
  std::string request_id;
  Target target;
  std::string name;
  criu::DumpOptions options;
  bool force = false;                    // also ends a container that an engine then cleans up
  bool kill_exec = false;                // ends what was started in a container from outside
  std::chrono::microseconds timeout{0};  // 0: the default
  // What keeps the addresses of a tree with a network namespace of its own, and for how long.
  Keeping keeping = Keeping::kHold;
  std::chrono::microseconds reserve_for{0};  // 0: as long as the checkpoint is there
  // Of a container, also what changed in its root since it was as in this directory, absolute;
  // empty: what its overlay says.
  std::optional<std::string> rootfs_diff;
};

// On whose behalf a file is opened.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Where a restored tree's broken standard streams go.
struct StdioToLog {
  std::string path;  // empty: a file under crd's state
  // The caller, who must be able to write to `path`: crd itself could write anywhere.
  Credentials caller;
};
struct StdioFromCaller {
  // The caller's descriptors 0, 1, 2; shared because a repeated request may bring them again.
  std::shared_ptr<const std::vector<UniqueFd>> descriptors;
};

// Where a tree that had a network namespace of its own comes back to.
enum class NetworkMode {
  kDefault,   // as kPrepared, for trees that have one
  kPrepared,  // its own again, kept by somebody or built by crd
  kNone,      // an empty one
  kHost,      // crd's own
  kNetns,     // one that somebody has prepared
  kCriu,      // built by CRIU
};
struct NetworkChoice {
  NetworkMode mode = NetworkMode::kDefault;
  std::string path;                            // kNetns
  std::map<std::string, std::string> changes;  // of what is built: see core/network_changes.h
  bool new_address = false;                    // free ones for the addresses that are not changed
};

// Whether the writable layer that a checkpoint holds is laid down in the container's root.
enum class LayerUse {
  kDefault,  // as kLayDown in another bundle, else as kLeaveOut
  kLayDown,
  kLeaveOut,
};

// How a container of a runtime's comes back, where it is not to be as it was.
struct ContainerChoice {
  std::string console_socket;  // absolute; empty: its console goes to the log
  Credentials caller;          // who must be able to write to the socket
  std::string bundle;          // absolute; empty: its own
  // Sources of mounts by their destinations.
  std::vector<std::pair<std::string, std::string>> mounts;
  std::string cgroup_parent;  // empty: the cgroups that it had
  LayerUse layer = LayerUse::kDefault;

  [[nodiscard]] bool empty() const {
    return console_socket.empty() && bundle.empty() && mounts.empty() && cgroup_parent.empty() &&
           layer == LayerUse::kDefault;
  }
};

struct RestoreRequest {
  std::string request_id;
  std::string checkpoint;
  std::string name;
  std::variant<StdioToLog, StdioFromCaller> stdio;
  bool tcp_established = false;
  bool tcp_close = false;
  NetworkChoice network;
  ContainerChoice container;
  std::chrono::microseconds timeout{0};
};

// Images that somebody else made, into the inventory.
struct ImportRequest {
  std::string request_id;
  std::string directory;
  std::string name;
  // Of a container's; empty: a plain tree's.
  std::string bundle;
  std::string runtime;    // "runc", "crun"; empty: runc
  std::string root;       // its state directory; empty: its default
  std::string container;  // the id that it has there; empty: the name of the bundle's directory
  std::chrono::microseconds timeout{0};
};

struct CheckRequest {
  struct CheckpointKey {
    std::string key;
  };
  std::variant<Target, CheckpointKey> subject;
  criu::DumpOptions options;
  bool kill_exec = false;
  std::optional<std::string> rootfs_diff;  // as in CheckpointRequest
};

}  // namespace crd
