#include "systemd/fd_store.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include "systemd/listen_fds.h"

namespace crd::systemd {
namespace {

// systemd ignores the descriptor's name, or the whole message, when this is not so.
Result<void> CheckName(const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(),
                                     [](char c) { return c >= ' ' && c <= '~' && c != ':'; });
  if (printable && !name.empty() && name.size() <= 255) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("'{}' cannot name a descriptor in systemd's store", name)};
}

}  // namespace

std::string PidFdName(const ContainerId& container) {
  return fmt::format("{}{}", kPidFdPrefix, container.str());
}

std::optional<ContainerId> ContainerOfPidFd(std::string_view name) {
  if (!name.starts_with(kPidFdPrefix) || name.size() == kPidFdPrefix.size()) return std::nullopt;
  return ContainerId(std::string(name.substr(kPidFdPrefix.size())));
}

FdStore::FdStore()
    : active_(std::getenv("NOTIFY_SOCKET") != nullptr) {}  // NOLINT(concurrency-mt-unsafe)

Result<void> FdStore::Keep(const std::string& name, FdRef fd) const {
  TRY(CheckName(name));
  if (!active_) return {};
  const std::string message = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name);
  const int descriptor = fd.get();
  const int sent = sd_pid_notify_with_fds(/*pid=*/0, /*unset_environment=*/0, message.c_str(),
                                          &descriptor, /*n_fds=*/1);
  if (sent < 0) {
    return Error::FromErrno(-sent, fmt::format("keep descriptor '{}' in systemd's store", name));
  }
  return {};
}

Result<void> FdStore::Forget(const std::string& name) const {
  TRY(CheckName(name));
  if (!active_) return {};
  const std::string message = fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name);
  const int sent = sd_notify(/*unset_environment=*/0, message.c_str());
  if (sent < 0) {
    return Error::FromErrno(-sent, fmt::format("drop descriptor '{}' from systemd's store", name));
  }
  return {};
}

}  // namespace crd::systemd
