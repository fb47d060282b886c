#include "daemon/runtime/refusals.h"

#include <fmt/ranges.h>

namespace crd::runtime {

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kCreated:
      return "created";
    case Status::kRunning:
      return "running";
    case Status::kPaused:
      return "paused";
    case Status::kStopped:
      break;
  }
  return "stopped";
}

namespace refusal {

Error StateUnreadable(std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "RUNTIME_STATE_UNREADABLE",
          .message = fmt::format("read the runtime's state '{}': {}", path, why.message),
          .hint = "crd understands the state of runc 1.1 to 1.3 and crun 1.8 to 1.23",
          .sys_errno = why.sys_errno};
}

Error BundleUnreadable(std::string_view id, std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "BUNDLE_UNREADABLE",
          .message = fmt::format("read '{}' of container '{}': {}", path, id, why.message),
          .hint =
              "a container is described by its bundle's config.json: put it back as it was "
              "when the container was created",
          .sys_errno = why.sys_errno};
}

Error TwoRuntimes(std::string_view key, const std::vector<std::string>& states) {
  return {
      .code = Code::kInvalidArgument,
      .reason = "RUNTIME_AMBIGUOUS",
      .message = fmt::format("'{}' fits more than one container: {}", key, fmt::join(states, ", ")),
      .hint = "give the whole id, and say which runtime"};
}

Error NotRunning(const RuntimeState& state, Status status) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NOT_RUNNING",
          .message = fmt::format("{} container '{}' is {}", KindName(state.kind), state.id,
                                 StatusName(status)),
          .hint = status == Status::kPaused
                      ? fmt::format("resume it: {} resume {}", KindName(state.kind), state.id)
                      : "only a running container can be checkpointed"};
}

}  // namespace refusal
}  // namespace crd::runtime
