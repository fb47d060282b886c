#include "client/commands/exit_status.h"

#include "client/exit_codes.h"
#include "client/signal_names.h"

namespace crd::client {

std::string ExitText(const v1::Container& container) {
  switch (container.exit().how_case()) {
    case v1::ExitStatus::kCode:
      return std::to_string(container.exit().code());
    case v1::ExitStatus::kSignal:
      return "signal " + SignalName(container.exit().signal());
    case v1::ExitStatus::HOW_NOT_SET:
      break;
  }
  return "unknown";
}

bool HasEnded(const v1::Container& container) {
  return container.state() == v1::CONTAINER_STATE_EXITED ||
         container.state() == v1::CONTAINER_STATE_LOST;
}

Result<int> ShellStatus(const v1::Container& container) {
  switch (container.exit().how_case()) {
    case v1::ExitStatus::kCode:
      return container.exit().code();
    case v1::ExitStatus::kSignal:
      return kSignalBase + container.exit().signal();
    case v1::ExitStatus::HOW_NOT_SET:
      break;
  }
  return Error{.code = Code::kUnknown,
               .message = fmt::format("nobody knows how container {} ended{}{}", container.id(),
                                      container.problem().empty() ? "" : ": ", container.problem()),
               .hint = fmt::format("`crctl show {}` tells what is known", container.id())};
}

}  // namespace crd::client
