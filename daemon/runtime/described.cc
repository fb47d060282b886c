#include "daemon/runtime/described.h"

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/runtime/find.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/runtime_state.h"

namespace crd::runtime {
namespace {

bool IsPlain(const std::string& path) {
  return path.starts_with('/') && path.find("/../") == std::string::npos && !path.ends_with("/..");
}

bool IsId(const std::string& id) {
  return !id.empty() && id != "." && id != ".." && id.find('/') == std::string::npos;
}

Result<void> CheckRoot(const ClientDescription& description) {
  struct stat named {};
  struct stat actual {};
  const std::string inside = fmt::format("/proc/{}/root", description.pid);
  if (::stat(description.rootfs.c_str(), &named) != 0 || ::stat(inside.c_str(), &actual) != 0 ||
      named.st_dev != actual.st_dev || named.st_ino != actual.st_ino) {
    return refusal::DescriptionWrong(description.id,
                                     fmt::format("'{}' is not what process {} has as its root",
                                                 description.rootfs, description.pid));
  }
  return {};
}

Result<void> CheckState(const ClientDescription& description, RuntimeState& state) {
  const std::string name = description.kind == Kind::kRunc ? "state.json" : "status";
  const std::string& path = description.state_path;
  if (!IsPlain(path) || !path.ends_with(fmt::format("/{}/{}", description.id, name))) {
    return refusal::DescriptionWrong(
        description.id,
        fmt::format("'{}' is no path of a state of {}'s", path, KindName(description.kind)));
  }
  const std::string directory = path.substr(0, path.rfind('/'));
  const auto opened = OpenDirectory(directory);
  const auto text =
      opened.ok() ? ReadFileAt(opened->ref(), name) : Result<std::string>(opened.error());
  if (!text.ok()) return refusal::StateUnreadable(path, text.error());
  auto kept = ParseState(description.kind, description.id, *text);
  if (!kept.ok()) return refusal::StateUnreadable(path, kept.error());
  if (kept->pid != state.pid || kept->start_time != state.start_time) {
    return refusal::DescriptionWrong(
        description.id, fmt::format("'{}' names process {}, not {}", path, kept->pid, state.pid));
  }
  state.cgroups = std::move(kept->cgroups);
  return {};
}

}  // namespace

Result<Container> CheckDescription(const ClientDescription& description) {
  if (!IsId(description.id) || !IsPlain(description.bundle) ||
      (!description.rootfs.empty() && !IsPlain(description.rootfs))) {
    return refusal::DescriptionWrong(description.id,
                                     "id, bundle and root file system must be plain names");
  }
  RuntimeState state{.kind = description.kind,
                     .path = description.state_path,
                     .id = description.id,
                     .pid = description.pid,
                     .bundle = description.bundle,
                     .rootfs = description.rootfs};
  const auto process = proc::ProcDir::Open(description.pid);
  const auto self = proc::ProcDir::Open(::getpid());
  if (!process.ok() || !self.ok()) {
    return refusal::DescriptionWrong(description.id,
                                     fmt::format("there is no process {}", description.pid));
  }
  state.start_time = TRY(proc::ReadStat(*process)).start_time;
  if (TRY(proc::ReadNamespace(*process, "mnt")) == TRY(proc::ReadNamespace(*self, "mnt"))) {
    return refusal::DescriptionWrong(
        description.id, fmt::format("process {} is in crd's own mount namespace", description.pid));
  }
  if (!description.rootfs.empty()) TRY(CheckRoot(description));
  if (!description.state_path.empty()) TRY(CheckState(description, state));
  const Status status = StatusOf(state);
  return Container{.state = std::move(state), .status = status};
}

}  // namespace crd::runtime
