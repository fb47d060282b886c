#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/runtime/id_maps.h"

namespace crd::runtime {

// A bundle's config.json (OCI runtime specification 1.0 - 1.2), as far as crd needs it.
struct Bundle {
  struct Mount {
    std::string destination;  // as written; relative ones are relative to the root
    std::string type;
    std::string source;
    bool bind = false;
  };
  struct Namespace {
    std::string type;  // "pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"
    std::string path;  // of the one to join; empty: one of its own
  };
  std::string path;    // of the bundle
  std::string rootfs;  // absolute
  bool read_only = false;
  bool terminal = false;
  std::vector<Mount> mounts;
  std::vector<Namespace> namespaces;
  IdMaps users;                      // of a user namespace of its own; empty: it has none
  std::vector<std::string> devices;  // their paths
  std::vector<std::string> masked_paths;
  std::vector<std::string> read_only_paths;
  std::string cgroups_path;
  std::string engine;  // that made it, if its annotations tell: "podman", "CRI-O", "containerd"
  std::vector<std::string> hooks;  // programs, whatever they are called for

  [[nodiscard]] const Namespace* FindNamespace(std::string_view type) const;
};

// `directory` is the bundle's, absolute. kDataLoss for what no runtime would have accepted. Pure.
Result<Bundle> ParseBundle(std::string_view directory, std::string_view text);

// Reads <directory>/config.json. BUNDLE_UNREADABLE, naming the container. Any thread.
Result<Bundle> ReadBundle(std::string_view id, const std::string& directory);

}  // namespace crd::runtime
