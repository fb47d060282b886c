#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <api/v1/network.grpc.pb.h>
#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/exit_status.h"
#include "client/commands/operation.h"
#include "client/commands/pages.h"
#include "client/commands/pid_file.h"
#include "client/commands/validators.h"
#include "client/errors.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/signal_watch.h"
#include "daemon/base/ids.h"

namespace crd::client {
namespace {

struct Args {
  v1::RestoreRequest request;
  std::string log;
  std::string pid_file;
  bool inherit = false;
  bool wait = false;
};

const v1::Container* FinalOf(const v1::RestoreResponse& step) {
  return step.has_container() ? &step.container() : nullptr;
}

Result<v1::Container> Fetch(Session& session, const v1::Operation& operation) {
  v1::GetRequest request;
  request.set_key(operation.container_id());
  return session.Call(&v1::ListService::Stub::GetContainer, request, session.Limited());
}

// Where signals go: they interrupt the restore as long as it goes on, and the restored container
// afterwards, as if its processes were crctl itself. Any thread.
class SignalRoute {
 public:
  SignalRoute(const Settings& settings, Interruption& interruption)
      : settings_(settings), interruption_(interruption) {}

  void Raise(int signal) {
    const std::lock_guard lock(mutex_);
    if (container_.empty()) {
      interruption_.Raise(signal);
    } else {
      Forward(signal);
    }
  }

  // The container runs. A signal that came too late to stop the restore is handed on.
  void LeadTo(const std::string& container) {
    const std::lock_guard lock(mutex_);
    container_ = container;
    if (interruption_.signal() != 0) Forward(interruption_.signal());
  }

 private:
  // On a connection of its own: the main thread waits on the other one.
  void Forward(int signal) {
    Session session(settings_, FdRef(-1), FdRef(-1));
    v1::SignalRequest request;
    request.set_container(container_);
    request.set_signal(signal);
    // It may have ended by now, which is what the main thread is about to hear.
    (void)session.Call(&v1::ContainerService::Stub::Signal, request,
                       {.timeout = std::chrono::seconds(5)});
  }

  const Settings settings_;
  Interruption& interruption_;
  std::mutex mutex_;
  std::string container_;
};

Result<int> WaitFor(Session& session, const std::string& id) {
  v1::WaitRequest request;
  request.set_container(id);
  const v1::Container ended =
      TRY(session.Call(&v1::ContainerService::Stub::Wait, request,
                       {.repeat = true, .patience = kLongReconnectPatience}));
  if (session.settings().json) session.out().Line(ToJson(ended));
  return ShellStatus(ended);
}

Result<void> PrintAddresses(Session& session, const std::string& container) {
  const auto listed = TRY(
      ListAll(session, &v1::NetworkService::Stub::ListReservations, v1::ListReservationsRequest()));
  for (const v1::Reservation& reservation : listed.reservations()) {
    if (reservation.container_id() != container) continue;
    for (const std::string& address : reservation.addresses()) {
      session.err().Line(fmt::format("{}: {}", reservation.interface(), address));
    }
  }
  return {};
}

Result<int> Run(Session& session, const Args& args) {
  v1::RestoreRequest request = args.request;
  request.set_request_id(RandomHex16());
  request.set_timeout_us(session.settings().timeout.count());
  if (args.inherit) {
    request.mutable_inherit();
  } else if (!args.log.empty()) {
    request.mutable_log()->set_path(args.log);
  }
  // Opened first: nothing is restored that cannot be recorded where it was asked for.
  std::optional<PidFile> pid_file;
  if (!args.pid_file.empty()) pid_file = TRY(PidFile::Open(args.pid_file));

  Interruption interruption;
  SignalRoute route(session.settings(), interruption);
  const SignalWatch watch([&](int signal) { route.Raise(signal); });
  // With --inherit-stdio the terminal belongs to the restored tree.
  const auto show = args.inherit ? Progress::Show::kNever : Progress::Show::kOnTerminal;
  const v1::Container container = TRY(
      RunOperation<v1::Container>(session, interruption, show, &v1::RestoreService::Stub::Restore,
                                  request, {.final_of = FinalOf, .fetch = Fetch}));
  if (args.wait) route.LeadTo(container.id());
  Result<void> written;
  if (pid_file) written = pid_file->Write(container.pid());
  if (!(args.inherit && args.wait)) {
    session.out().Line(session.settings().json ? ToJson(container) : container.id());
  }
  if (args.request.new_address()) TRY(PrintAddresses(session, container.id()));
  if (!written.ok()) {
    return Error(written.error())
        .WithHint(fmt::format("container {} runs nevertheless", container.id()));
  }
  return args.wait ? WaitFor(session, container.id()) : kDone;
}

constexpr std::string_view kNetns = "netns=";
constexpr std::pair<std::string_view, v1::NetworkMode> kNetworks[] = {
    {"prepared", v1::NETWORK_MODE_PREPARED},
    {"none", v1::NETWORK_MODE_NONE},
    {"host", v1::NETWORK_MODE_HOST},
    {"criu", v1::NETWORK_MODE_CRIU},
};

CLI::Validator IsNetwork() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        for (const auto& [name, mode] : kNetworks) {
          if (text == name) return "";
        }
        if (text.starts_with(std::string(kNetns) + "/")) return "";
        return fmt::format("'{}' is none of prepared, none, host, criu and netns=/PATH", text);
      },
      "");
}

void SetNetwork(v1::RestoreRequest& request, const std::string& text) {
  for (const auto& [name, mode] : kNetworks) {
    if (text == name) request.set_network(mode);
  }
  if (!text.starts_with(kNetns)) return;
  request.set_network(v1::NETWORK_MODE_NETNS);
  request.set_netns_path(text.substr(kNetns.size()));
}

CLI::Validator IsMount() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        const std::size_t at = text.find("=/");
        if (text.starts_with('/') && at != std::string::npos) return "";
        return fmt::format("'{}' is not /DESTINATION=/SOURCE", text);
      },
      "");
}

void AddMount(const std::string& text, v1::RestoreRequest& request) {
  v1::MountSource& mount = *request.add_mounts();
  const std::size_t at = text.find("=/");
  mount.set_destination(text.substr(0, at));
  mount.set_source(text.substr(at + 1));
}

CLI::Validator IsChange() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        const std::size_t at = text.find('=');
        const bool both = at != std::string::npos && at > 0 && at + 1 < text.size();
        return both ? "" : fmt::format("'{}' is not OLD=NEW", text);
      },
      "");
}

void SetChanges(v1::RestoreRequest& request, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::size_t at = change.find('=');
    v1::NetworkChange& added = *request.add_map();
    added.set_from(change.substr(0, at));
    added.set_to(change.substr(at + 1));
  }
}

void AddOutputOptions(CLI::App& app, const std::shared_ptr<Args>& args) {
  app.add_flag("--wait", args->wait, "Wait until it ends, and exit as it does");
  CLI::Option* log = app.add_option("--log", args->log,
                                    "Where the tree prints to if its own outputs are gone; crd "
                                    "keeps a log of its own otherwise")
                         ->transform(AsAbsolutePath())
                         ->option_text("FILE");
  app.add_flag("--inherit-stdio", args->inherit,
               "The tree takes over crctl's stdin, stdout, stderr")
      ->excludes(log);
  app.add_option("--pidfile", args->pid_file, "Write its pid to this file")->option_text("FILE");
}

void AddContainerOptions(CLI::App& app, const std::shared_ptr<Args>& args) {
  app.add_option_function<std::string>(
         "--console-socket",
         [args](const std::string& path) { args->request.set_console_socket(path); },
         "Where a container's console is sent, as to `runc run --console-socket`; it goes to the\n"
         "log otherwise")
      ->transform(AsAbsolutePath())
      ->option_text("PATH");
  app.add_option_function<std::string>(
         "--bundle", [args](const std::string& path) { args->request.set_bundle(path); },
         "Into this bundle and its root file system instead of the container's own")
      ->transform(AsAbsolutePath())
      ->option_text("DIR");
  app.add_option_function<std::vector<std::string>>(
         "--mount",
         [args](const std::vector<std::string>& mounts) {
           for (const std::string& mount : mounts) AddMount(mount, args->request);
         },
         "Another source for a mount of the container than at the checkpoint; may be repeated")
      ->check(IsMount())
      ->allow_extra_args(false)
      ->option_text("DESTINATION=SOURCE");
  app.add_option_function<std::string>(
         "--cgroup-parent",
         [args](const std::string& path) { args->request.set_cgroup_parent(path); },
         "Into new cgroups beneath this one, with the limits that the container had; a slice, "
         "where\n"
         "systemd makes them")
      ->option_text("/CGROUP");
}

void AddRootfsDiff(CLI::App& app, const std::shared_ptr<Args>& args) {
  CLI::Option* lay_down = app.add_flag_callback(
      "--rootfs-diff", [args] { args->request.set_rootfs_diff(v1::ROOTFS_DIFF_MODE_LAY_DOWN); },
      "First lay what changed in the container's root down in its root, which was made anew. That\n"
      "is done in any case with --bundle, if the checkpoint holds it");
  app.add_flag_callback(
         "--no-rootfs-diff",
         [args] { args->request.set_rootfs_diff(v1::ROOTFS_DIFF_MODE_LEAVE_OUT); },
         "Leave the root of another bundle as it is, too")
      ->excludes(lay_down);
}

}  // namespace

void AddRestore(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_option_function<std::string>(
         "CHECKPOINT", [args](const std::string& key) { args->request.set_checkpoint(key); },
         "Its id, a unique prefix of it, or its name")
      ->option_text(" ")
      ->required();
  app.add_option_function<std::string>(
         "--name", [args](const std::string& name) { args->request.set_name(name); },
         "A name for the container")
      ->option_text("NAME");
  CLI::Option* established = app.add_flag_callback(
      "--tcp-established", [args] { args->request.set_tcp_established(true); },
      "Bring established TCP connections back");
  app.add_flag_callback(
         "--tcp-close", [args] { args->request.set_tcp_close(true); }, "Bring them back closed")
      ->excludes(established);
  app.add_option_function<std::string>(
         "--network", [args](const std::string& text) { SetNetwork(args->request, text); },
         "Where a tree comes back to that had a network namespace of its own: prepared (the\n"
         "default: its own again, with its addresses), none, host, netns=PATH, or criu for a\n"
         "checkpoint that was made so")
      ->check(IsNetwork())
      ->option_text("MODE");
  app.add_option_function<std::vector<std::string>>(
         "--map",
         [args](const std::vector<std::string>& changes) { SetChanges(args->request, changes); },
         "Put one thing in the place of another: an address, a MAC, a bridge, or the name of the\n"
         "veth's end on the host")
      ->check(IsChange())
      ->option_text("OLD=NEW");
  app.add_flag_callback(
      "--new-address", [args] { args->request.set_new_address(true); },
      "Take free addresses of the same subnets instead of its own, and print them to stderr");
  AddOutputOptions(app, args);
  AddContainerOptions(app, args);
  AddRootfsDiff(app, args);
  app.footer(
      "Prints the container's id (not with --inherit-stdio and --wait together: stdout is the\n"
      "tree's own then). With --wait, crctl exits with the tree's exit status, or with 128 + the\n"
      "signal that killed it, and passes SIGINT, SIGTERM and SIGHUP on to it.\n\n"
      "Examples:\n"
      "  crctl restore before-upgrade\n"
      "  crctl restore 4f2a --name web2 --tcp-close --pidfile /run/web2.pid\n"
      "  crctl restore 4f2a --network netns=/run/netns/web\n"
      "  crctl restore 4f2a --tcp-close --map 10.77.0.5=10.77.0.6 --map br0=br1\n"
      "  crctl restore 4f2a --bundle /srv/fresh-bundle --name web2\n"
      "  crctl restore 4f2a --wait --inherit-stdio");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
