#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace crd::runtime {

// Where systemd puts the cgroups of a scope, and what a runtime makes within them. A value.
struct ScopePath {
  std::string slice;   // "a-b.slice"; "-.slice" is the root
  std::string scope;   // "docker-0123.scope"
  std::string within;  // "/container", or empty

  // "/a.slice/a-b.slice/docker-0123.scope/container" (systemd.slice(5)).
  [[nodiscard]] std::string ToString() const;
  // The same scope of another container, if it goes by the container's id.
  [[nodiscard]] std::optional<ScopePath> Renamed(std::string_view id, std::string_view to) const;
};

// Of a cgroup's path in its hierarchy; nothing if it is no scope of systemd's. Pure.
std::optional<ScopePath> ParseScopePath(std::string_view path);

// The slice that a path names by its last component; nothing if that is none.
std::optional<std::string> ParseSlice(std::string_view path);

}  // namespace crd::runtime
