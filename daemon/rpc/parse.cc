#include "daemon/rpc/parse.h"

#include <algorithm>
#include <chrono>
#include <climits>

#include "daemon/core/errors.h"
#include "daemon/core/inventory.h"

namespace crd::rpc {
namespace {

constexpr std::size_t kMaxRequestId = 64;
constexpr std::int32_t kMaxSignal = 64;
// More means the same, and deadlines computed from it do not overflow.
constexpr std::chrono::microseconds kMaxTimeout = std::chrono::hours(24 * 365);

// Its values are those of criu::NetworkSaving.
Result<criu::NetworkSaving> ParseSaving(v1::NetworkSaving saving) {
  if (saving < v1::NETWORK_SAVING_UNSPECIFIED || saving > v1::NETWORK_SAVING_CRIU) {
    return errors::InvalidRequest(
        fmt::format("{} is no way to save a network", static_cast<int>(saving)),
        "use one of NetworkSaving");
  }
  return static_cast<criu::NetworkSaving>(saving);
}

Result<criu::DumpOptions> ParseOptions(const v1::DumpOptions& message) {
  return criu::DumpOptions{.leave_running = message.leave_running(),
                           .tcp_established = message.tcp_established(),
                           .file_locks = message.file_locks(),
                           .ext_unix_sk = message.ext_unix_sk(),
                           .shell_job = message.shell_job(),
                           .link_remap = message.link_remap(),
                           .tcp_skip_in_flight = message.tcp_skip_in_flight(),
                           .ghost_limit = message.ghost_limit(),
                           .network = TRY(ParseSaving(message.network()))};
}

Result<std::chrono::microseconds> ParseTimeout(std::int64_t micros) {
  if (micros < 0) {
    return errors::InvalidRequest(fmt::format("a timeout of {} us is negative", micros),
                                  "give a positive one, or 0 for the default");
  }
  return std::min(std::chrono::microseconds(micros), kMaxTimeout);
}

Result<std::chrono::microseconds> ParseReserveFor(std::int64_t micros) {
  if (micros < 0) {
    return errors::InvalidRequest(fmt::format("a reservation for {} us is negative", micros),
                                  "give a positive time, or 0 for no end");
  }
  return std::min(std::chrono::microseconds(micros), kMaxTimeout);
}

// Empty, or an absolute path of `what`.
Result<std::string> ParsePath(const std::string& path, std::string_view what) {
  if (path.empty()) return path;
  const bool usable =
      path.front() == '/' && path.size() < PATH_MAX && path.find('\0') == std::string::npos;
  if (usable) return path;
  return errors::InvalidRequest(
      fmt::format("'{}' is no absolute path", path),
      fmt::format("the path of {} begins with '/', on the daemon's host", what));
}

// A container by its key alone, or as one of a runtime's.
template <typename Message>
Result<Target> ParseContainer(const Message& message) {
  std::string key = TRY(ParseKey("container", message.container()));
  if (message.runtime().empty() && message.runtime_root().empty()) return Target(std::move(key));
  if (!message.runtime().empty() && message.runtime() != "runc" && message.runtime() != "crun") {
    return errors::InvalidRequest(
        fmt::format("'{}' is no runtime that crd knows", message.runtime()),
        "runtimes are runc and crun");
  }
  return Target(RuntimeTarget{.key = std::move(key),
                              .runtime = message.runtime(),
                              .root = TRY(ParsePath(message.runtime_root(), "a state directory"))});
}

bool IsRuntime(const std::string& name) { return name == "runc" || name == "crun"; }

template <typename Message>
Result<Target> ParseProcess(const Message& message) {
  if (!message.has_description()) return Target(pid_t{message.pid()});
  const v1::ContainerDescription& description = message.description();
  if (!IsRuntime(description.runtime())) {
    return errors::InvalidRequest(
        fmt::format("'{}' is no runtime that crd knows", description.runtime()),
        "runtimes are runc and crun");
  }
  return Target(DescribedTarget{
      .pid = pid_t{message.pid()},
      .runtime = description.runtime(),
      .id = TRY(ParseKey("container", description.id())),
      .bundle = TRY(ParsePath(TRY(ParseKey("bundle", description.bundle())), "a bundle")),
      .rootfs = TRY(ParsePath(description.rootfs(), "a root file system")),
      .state_path = TRY(ParsePath(description.state_path(), "a runtime's state"))});
}

Error NoTarget() {
  return errors::InvalidRequest("the request does not say what it is about",
                                "give a pid, or the id or name of a container or checkpoint");
}

}  // namespace

Result<std::string> ParseKey(std::string_view subject, const std::string& key) {
  if (!key.empty()) return key;
  return errors::InvalidRequest(fmt::format("the request names no {}", subject),
                                fmt::format("give the id or name of a {}", subject));
}

Result<std::string> ParseRequestId(const std::string& id) {
  if (id.size() <= kMaxRequestId) return id;
  return errors::InvalidRequest(
      fmt::format("a request id of {} bytes is too long", id.size()),
      fmt::format("use at most {} bytes, such as a random UUID", kMaxRequestId));
}

Result<int> ParseSignal(std::int32_t signal) {
  if (signal >= 1 && signal <= kMaxSignal) return int{signal};
  return errors::InvalidRequest(fmt::format("{} is no signal", signal),
                                fmt::format("signals are 1 to {}", kMaxSignal));
}

int ParsePageSize(std::uint32_t size) {
  constexpr std::uint32_t kMax = Inventory::kMaxPage;
  return static_cast<int>(size == 0 ? kMax : std::min(size, kMax));
}

// Of a checkpoint, or of what would be one.
template <typename Message>
Result<std::optional<std::string>> ParseRootfsDiff(const Message& message) {
  if (!message.has_rootfs_diff()) return std::optional<std::string>();
  return std::optional(TRY(ParsePath(message.rootfs_diff().base(), "a root's base")));
}

Result<CheckpointRequest> Parse(const v1::CheckpointRequest& message) {
  CheckpointRequest request{.request_id = TRY(ParseRequestId(message.request_id())),
                            .target = pid_t{0},
                            .name = message.name(),
                            .options = TRY(ParseOptions(message.options())),
                            .force = message.force(),
                            .kill_exec = message.kill_exec(),
                            .timeout = TRY(ParseTimeout(message.timeout_us())),
                            .reserve_for = TRY(ParseReserveFor(message.reserve_for_us()))};
  request.rootfs_diff = TRY(ParseRootfsDiff(message));
  if (message.network_keeping() == v1::NETWORK_KEEPING_RELEASE) request.keeping = Keeping::kRelease;
  switch (message.target_case()) {
    case v1::CheckpointRequest::kPid:
      request.target = TRY(ParseProcess(message));
      return request;
    case v1::CheckpointRequest::kContainer:
      request.target = TRY(ParseContainer(message));
      return request;
    case v1::CheckpointRequest::TARGET_NOT_SET:
      break;
  }
  return NoTarget();
}

// The API's map is for people, who give each thing once.
Result<std::map<std::string, std::string>> ParseChanges(const v1::RestoreRequest& message) {
  std::map<std::string, std::string> changes;
  for (const v1::NetworkChange& change : message.map()) {
    if (change.from().empty() || change.to().empty() ||
        !changes.emplace(change.from(), change.to()).second) {
      return errors::InvalidRequest(
          fmt::format("'{}={}' is no change of a network", change.from(), change.to()),
          "give an old and a new name, and each old one once");
    }
  }
  return changes;
}

Result<NetworkChoice> ParseNetwork(const v1::RestoreRequest& message) {
  const bool by_path = message.network() == v1::NETWORK_MODE_NETNS;
  if (by_path != !message.netns_path().empty() ||
      (by_path && message.netns_path().front() != '/')) {
    return errors::InvalidRequest("a network namespace's path and its mode do not go together",
                                  "give an absolute path with NETWORK_MODE_NETNS, and only then");
  }
  switch (message.network()) {
    case v1::NETWORK_MODE_UNSPECIFIED:
      return NetworkChoice{};
    case v1::NETWORK_MODE_PREPARED:
      return NetworkChoice{.mode = NetworkMode::kPrepared};
    case v1::NETWORK_MODE_NONE:
      return NetworkChoice{.mode = NetworkMode::kNone};
    case v1::NETWORK_MODE_HOST:
      return NetworkChoice{.mode = NetworkMode::kHost};
    case v1::NETWORK_MODE_NETNS:
      return NetworkChoice{.mode = NetworkMode::kNetns, .path = message.netns_path()};
    case v1::NETWORK_MODE_CRIU:
      return NetworkChoice{.mode = NetworkMode::kCriu};
    default:
      return errors::InvalidRequest(
          fmt::format("{} is no network mode", static_cast<int>(message.network())),
          "leave it out for the default");
  }
}

Result<ContainerChoice> ParseContainerChoice(const v1::RestoreRequest& message) {
  ContainerChoice choice{
      .console_socket = TRY(ParsePath(message.console_socket(), "the console's socket")),
      .caller = {},
      .bundle = TRY(ParsePath(message.bundle(), "a bundle")),
      .mounts = {},
      .cgroup_parent = TRY(ParsePath(message.cgroup_parent(), "a cgroup"))};
  if (message.rootfs_diff() == v1::ROOTFS_DIFF_MODE_LAY_DOWN) choice.layer = LayerUse::kLayDown;
  if (message.rootfs_diff() == v1::ROOTFS_DIFF_MODE_LEAVE_OUT) choice.layer = LayerUse::kLeaveOut;
  for (const v1::MountSource& mount : message.mounts()) {
    if (mount.destination().empty() || mount.source().empty()) {
      return errors::InvalidRequest("a mount lacks its destination or its source",
                                    "give both as absolute paths");
    }
    choice.mounts.emplace_back(TRY(ParsePath(mount.destination(), "a mount in the container")),
                               TRY(ParsePath(mount.source(), "a mount's source")));
  }
  return choice;
}

Result<RestoreRequest> Parse(const v1::RestoreRequest& message) {
  if (message.tcp_close() && message.tcp_established()) {
    return errors::OptionsContradict("tcp_close", "tcp_established",
                                     "choose whether connections come back open or closed");
  }
  NetworkChoice network = TRY(ParseNetwork(message));
  network.changes = TRY(ParseChanges(message));
  network.new_address = message.new_address();
  RestoreRequest request{.request_id = TRY(ParseRequestId(message.request_id())),
                         .checkpoint = TRY(ParseKey("checkpoint", message.checkpoint())),
                         .name = message.name(),
                         .stdio = {},
                         .tcp_established = message.tcp_established(),
                         .tcp_close = message.tcp_close(),
                         .network = std::move(network),
                         .container = TRY(ParseContainerChoice(message)),
                         .timeout = TRY(ParseTimeout(message.timeout_us()))};
  if (message.has_inherit()) {
    request.stdio = StdioFromCaller{};
  } else {
    request.stdio = StdioToLog{.path = TRY(ParsePath(message.log().path(), "the log"))};
  }
  return request;
}

Result<std::string> Parse(const v1::ListRuntimeContainersRequest& message) {
  return ParsePath(message.runtime_root(), "a state directory");
}

Result<ImportRequest> Parse(const v1::ImportImagesRequest& message) {
  for (const std::string* path : {&message.directory(), &message.bundle()}) {
    if (path == &message.bundle() && path->empty()) continue;
    const bool usable =
        path->starts_with('/') && path->size() < PATH_MAX && path->find('\0') == std::string::npos;
    if (!usable) {
      return errors::InvalidRequest(fmt::format("'{}' is no absolute path", *path),
                                    "images and bundles are found by paths on the daemon's host");
    }
  }
  if (!message.runtime().empty() && message.runtime() != "runc" && message.runtime() != "crun") {
    return errors::InvalidRequest(
        fmt::format("'{}' is no runtime that crd knows", message.runtime()),
        "runtimes are runc and crun");
  }
  const bool of_container =
      !message.runtime().empty() || !message.runtime_root().empty() || !message.container().empty();
  if (of_container && message.bundle().empty()) {
    return errors::InvalidRequest("a runtime is named, but no bundle",
                                  "a container's images need its bundle");
  }
  return ImportRequest{.request_id = TRY(ParseRequestId(message.request_id())),
                       .directory = message.directory(),
                       .name = message.name(),
                       .bundle = message.bundle(),
                       .runtime = message.runtime(),
                       .root = TRY(ParsePath(message.runtime_root(), "a state directory")),
                       .container = message.container(),
                       .timeout = TRY(ParseTimeout(message.timeout_us()))};
}

Result<CheckRequest> Parse(const v1::CheckRequest& message) {
  CheckRequest request{.subject = {},
                       .options = TRY(ParseOptions(message.options())),
                       .kill_exec = message.kill_exec()};
  request.rootfs_diff = TRY(ParseRootfsDiff(message));
  switch (message.target_case()) {
    case v1::CheckRequest::kPid:
      request.subject = TRY(ParseProcess(message));
      return request;
    case v1::CheckRequest::kContainer:
      request.subject = TRY(ParseContainer(message));
      return request;
    case v1::CheckRequest::kCheckpoint:
      request.subject =
          CheckRequest::CheckpointKey{.key = TRY(ParseKey("checkpoint", message.checkpoint()))};
      return request;
    case v1::CheckRequest::TARGET_NOT_SET:
      break;
  }
  return NoTarget();
}

Result<NetworkRequest> Parse(const v1::CreateNetworkRequest& message) {
  TRY(ParseRequestId(message.request_id()));
  return NetworkRequest{.name = TRY(ParseKey("network", message.name())),
                        .bridge = TRY(ParseKey("bridge", message.bridge())),
                        .subnets = {message.subnets().begin(), message.subnets().end()},
                        .gateways = {message.gateways().begin(), message.gateways().end()}};
}

Result<ReserveRequest> Parse(const v1::ReserveRequest& message) {
  return ReserveRequest{.request_id = TRY(ParseRequestId(message.request_id())),
                        .network = TRY(ParseKey("network", message.network())),
                        .addresses = {message.addresses().begin(), message.addresses().end()},
                        .mac = message.mac(),
                        .host_interface = message.host_interface(),
                        .holder = message.holder(),
                        .reserve_for = TRY(ParseReserveFor(message.reserve_for_us()))};
}

}  // namespace crd::rpc
