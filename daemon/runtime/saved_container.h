#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"
#include "daemon/runtime/container.h"
#include "daemon/runtime/id_maps.h"

namespace crd::runtime {

// A tmpfs that crd saves and makes anew itself: CRIU would run tar, gzip and a shell for each,
// while the container stands still.
struct SavedTmpfs {
  // In the images: what is in it, where and as CRIU would put it.
  [[nodiscard]] std::string Archive() const;

  std::uint32_t device = 0;  // as CRIU numbers it
  std::string name;          // the mount's source, as the container sees it
  std::string options;       // of the file system
  bool read_only = false;    // likewise
  bool operator==(const SavedTmpfs&) const = default;
};

// One mount of a container as it was at the checkpoint.
struct SavedMount {
  std::string mountpoint;  // in the container
  // What CRIU asks for at the restore instead of having dumped it; empty: it makes it anew.
  std::string key;
  std::string source;  // on the host, of a mount with a key; of a tmpfs only while it is restored
  std::optional<SavedTmpfs> tmpfs;
  bool on_root = false;  // lies on the root file system itself, which must have the mountpoint
  bool directory = true;
  bool read_only = false;
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool operator==(const SavedMount&) const = default;
};

struct JoinedNamespace {
  std::string type;  // "ipc", "uts", "pid", "time"
  std::string path;
  bool operator==(const JoinedNamespace&) const = default;
};

// What had changed in its root is in the images, too (layer.h).
struct SavedLayer {
  std::string base;  // that the root was compared with; empty: its overlay told
  bool operator==(const SavedLayer&) const = default;
};

// All that a restore needs to know of a container besides CRIU's images, as values. Kept in the
// checkpoint's manifest: the bundle may have changed since.
struct SavedContainer {
  Kind kind = Kind::kRunc;
  std::string state_path;
  std::string id;
  std::string bundle;
  std::string rootfs;
  std::vector<SavedMount> mounts;  // in the kernel's order
  std::vector<CgroupPlace> cgroups;
  bool own_pids = false;     // its pids are not the host's: those it had in its own are free
  bool own_network = false;  // a network namespace with nothing but loopback that ends with it
  bool loopback_up = false;  // of own_network
  bool console = false;      // its terminal's master is outside, on a devpts of its own
  IdMaps users;              // of its user namespace; empty: it has none of its own
  bool own_cgroups = false;  // it has a cgroup namespace, with its cgroups as roots
  // Namespaces that it had joined by a path, other than its network, as config.json calls them.
  std::vector<JoinedNamespace> joined;
  // What the runtime keeps of it, by file name, in its state directory: its state, and crun's copy
  // of config.json. Empty if no runtime is to be kept in step.
  std::map<std::string, std::string> state_files;
  std::optional<SavedLayer> layer;
  bool operator==(const SavedContainer&) const = default;
};

nlohmann::json ToJson(const SavedContainer& container);
Result<SavedContainer> SavedContainerFromJson(const nlohmann::json& object);

// criu(8) --external of the mounts, for dump and restore.
std::vector<std::string> ExternalForDump(const SavedContainer& container);
std::vector<std::string> ExternalForRestore(const SavedContainer& container);

// Whether it had joined one of this type by a path.
bool Joins(const SavedContainer& container, std::string_view type);

// A namespace that does not belong to the container's own user namespace, in which nobody could
// enter it: CRIU, which sees to all others, has to run in it.
bool CriuRunsIn(const SavedContainer& container, const JoinedNamespace& joined);
// At the restore also in a cgroup namespace, for it joins none by itself.
bool CriuRestoresIn(const SavedContainer& container, const JoinedNamespace& joined);

// What runc, crun and podman call joined namespaces in their images.
inline constexpr const char* kNetworkKey = "extRootNetNS";
inline constexpr const char* kPidKey = "extRootPidNS";

}  // namespace crd::runtime
