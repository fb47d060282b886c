#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/open_socket.h"
#include "daemon/core/preflight.h"
#include "daemon/core/records.h"
#include "daemon/core/tree_network.h"
#include "daemon/runtime/saved_container.h"
#include "systemd/scope.h"

namespace crd {

// What a checkpoint consists of: enough to verify every byte of it and to restore it without the
// database. Kept beside the images as manifest.json, written last.

struct ManifestFile {
  std::string name;  // in images/, no directories
  std::uint64_t size = 0;
  std::string digest;
  bool operator==(const ManifestFile&) const = default;
};

// What had changed in a container's root (runtime/layer.h).
struct StoredLayer {
  std::string base;        // that the root was compared with; empty: its overlay told
  std::uint64_t size = 0;  // on disk
};

struct Manifest {
  CheckpointRecord checkpoint;  // identity, options, versions; not its state
  std::vector<StdioLink> stdio;
  std::vector<std::string> external;
  std::vector<ManifestFile> files;  // by name
  std::vector<RemappedFile> remapped;
  std::optional<runtime::SavedContainer> container;
  std::optional<systemd::Scope> scope;  // whose cgroups the container has
  std::optional<TreeNetwork> network;
  std::vector<OpenSocket> sockets;

  [[nodiscard]] std::uint64_t TotalBytes() const;
  [[nodiscard]] std::optional<StoredLayer> Layer() const;
};

std::string Serialize(const Manifest& manifest);

// Refuses (kDataLoss) a text that was changed in any way after Serialize(), and names that are not
// plain file names.
Result<Manifest> ParseManifest(std::string_view text);

}  // namespace crd
