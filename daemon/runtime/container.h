#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace crd::runtime {

// Who wrote the state: podman, docker and containerd use one of these.
enum class Kind { kRunc, kCrun };
constexpr std::string_view KindName(Kind kind) { return kind == Kind::kRunc ? "runc" : "crun"; }

enum class Status {
  kCreated,  // its init waits to be told to start
  kRunning,
  kPaused,
  kStopped,
};
std::string_view StatusName(Status status);

// What a runtime keeps of one container, as it is on disk. Only what crd uses.
struct RuntimeState {
  Kind kind = Kind::kRunc;
  std::string path;  // of the state file
  std::string id;
  pid_t pid = 0;                 // of its init in crd's pid namespace; 0: none
  std::uint64_t start_time = 0;  // clock ticks since boot, as proc(5) has it
  std::string bundle;            // absolute
  std::string rootfs;            // if somebody else than the bundle names it
  std::string created;           // RFC 3339
  // Where the runtime made its cgroups, as it saw them: directories (runc), or the path in every
  // hierarchy (crun).
  std::vector<std::string> cgroups;
};

// A container as it was found.
struct Container {
  RuntimeState state;
  Status status = Status::kStopped;
};

}  // namespace crd::runtime
