#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::systemd {

// D-Bus types b, t, s, ay and a(ss).
using PropertyValue = std::variant<bool, std::uint64_t, std::string, std::vector<std::uint8_t>,
                                   std::vector<std::pair<std::string, std::string>>>;
struct ScopeProperty {
  std::string name;
  PropertyValue value;
  bool operator==(const ScopeProperty&) const = default;
};

// A transient scope: a unit with cgroups that systemd makes for processes that others have started,
// and that it removes with the last of them (org.freedesktop.systemd1(5); systemd 252 - 257). A
// value.
struct Scope {
  std::string name;  // "docker-0123.scope"
  // What systemd would have to be told to make it as it is: of the slice, of delegation, and each
  // limit that is not the default.
  std::vector<ScopeProperty> properties;
  bool operator==(const Scope&) const = default;
};

// The scope that a process is in; nothing if it is in a unit of another type. An error if systemd
// is not there or does not say. Over the system bus; any thread, a few milliseconds.
Result<std::optional<Scope>> FindScope(pid_t pid);

// A scope that was started anew, with one process in it that does nothing: without any, there would
// be none. That process ends with this, or with crd; systemd then removes the scope unless others
// are in it by then. Belongs to one thread, which lives as long as the process.
class HeldScope {
 public:
  // kAlreadyExists if there is a unit of that name that does not go within seconds, as the one does
  // that it was before; kDeadlineExceeded if systemd takes too long.
  static Result<HeldScope> Start(const Scope& scope, Children& children, Deadline deadline);

  [[nodiscard]] pid_t keeper() const { return keeper_.pid(); }

 private:
  HeldScope(UniqueFd lifeline, Child keeper)
      : lifeline_(std::move(lifeline)), keeper_(std::move(keeper)) {}
  UniqueFd lifeline_;  // the keeper ends once nobody has that
  Child keeper_;
};

}  // namespace crd::systemd
