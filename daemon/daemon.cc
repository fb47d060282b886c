#include "daemon/daemon.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/base/cgroup.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/digest.h"
#include "daemon/core/reconcile.h"
#include "daemon/core/reconcile_networks.h"
#include "daemon/criu/kernel_cache.h"
#include "daemon/criu/swrk_criu.h"
#include "daemon/loop_ports.h"
#include "daemon/runtime/find.h"

namespace crd {
namespace {

// systemd allows 90 s by default; what has not finished by then is rolled back.
constexpr auto kDrainPatience = std::chrono::seconds(45);
constexpr auto kCallPatience = std::chrono::seconds(2);

// The first of: what was asked for, the private one, the system's.
std::string FindCriu(const std::string& asked) {
  if (!asked.empty()) return asked;
  for (const char* candidate :
       {"/opt/crd/criu/bin/criu", "/usr/sbin/criu", "/usr/local/sbin/criu", "/usr/bin/criu"}) {
    if (::access(candidate, X_OK) == 0) return candidate;
  }
  return "/usr/sbin/criu";
}

// Several crd may live side by side, told apart by their state directories.
Result<std::string> MakeCgroupBase(const std::string& state_directory) {
  const std::string name = "crd-" + DigestOf(state_directory).substr(0, 12);
  return TRY(Cgroup::Create(TRY(CgroupOf(0)), name)).path();
}

// Containers end while crd is down, and may have been started from another cgroup: directories of
// theirs that have become empty go, and the base itself once nothing is in it.
void RemoveEmptyCgroups(const std::string& base) {
  const auto directory = OpenDirectory(base);
  if (!directory.ok()) return;
  const auto names = ListDirectory(directory->ref());
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (name.starts_with("ct-") || name.starts_with("op-")) ::rmdir((base + "/" + name).c_str());
  }
  ::rmdir(base.c_str());
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Create(const Options& options) {
  const rlimit descriptors = TRY(rpc::RaiseDescriptorLimit());
  systemd::InheritedFds inherited = TRY(systemd::TakeInheritedFds());
  // Whatever else a shell or supervisor left open must not reach CRIU, and through it no restored
  // tree: the next dump of that tree would fail on it.
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return Error::Errno("seal descriptors");
  std::unique_ptr<Daemon> daemon(new Daemon(options, descriptors));
  daemon->loop_ = TRY(systemd::EventLoop::Create());
  daemon->exit_watch_ = std::make_unique<systemd::ExitWatch>(*daemon->loop_);
  daemon->exit_watcher_ = std::make_unique<LoopExitWatcher>(*daemon->loop_, *daemon->exit_watch_);
  daemon->fd_keeper_ = std::make_unique<StoreFdKeeper>(daemon->fd_store_);
  for (const std::string& name : inherited.unwanted) daemon->fd_keeper_->Forget(name);
  TRY(daemon->OpenState());
  TRY(daemon->PrepareCriu());
  TRY(daemon->BringTogether(std::move(inherited.pidfds)));
  TRY(daemon->StartServing(std::move(inherited.listeners)));
  return daemon;
}

Result<void> Daemon::OpenState() {
  TRY(MakeDirectories(options_.state_dir));
  TRY(MakeDirectories(options_.state_dir + "/containers"));
  auto store = TRY(store::Store::Open(options_.state_dir + "/crd.db"));
  inventory_ = TRY(Inventory::Open(std::move(store), clock_));
  images_ = TRY(ImageStore::Open(options_.state_dir));
  cgroup_base_ = TRY(MakeCgroupBase(options_.state_dir));
  const UniqueFd state = TRY(OpenDirectory(options_.state_dir));
  const auto last_base = ReadFileAt(state.ref(), "cgroup");
  if (!last_base.ok() || *last_base != cgroup_base_) {
    if (last_base.ok()) RemoveEmptyCgroups(*last_base);
    TRY(WriteFileAt(state.ref(), "cgroup", cgroup_base_));
  }
  return {};
}

Result<void> Daemon::PrepareCriu() {
  const std::string path = FindCriu(options_.criu);
  const UniqueFd state = TRY(OpenDirectory(options_.state_dir));
  if (auto primed = criu::PrimeKernelCache(children_, path, state.ref()); primed.ok()) {
    kernel_cache_primed_ = true;
  } else {
    spdlog::warn("prime CRIU's kernel cache: {}; every dump and restore takes some 30 ms longer",
                 primed.error().message);
  }
  criu_ = criu::SwrkCriu::Create(path, children_);
  if (!criu_->problem().empty())
    spdlog::error("no checkpoint or restore is possible: {}", criu_->problem());
  return {};
}

Result<void> Daemon::BringTogether(std::vector<systemd::NamedFd> kept) {
  networks_ = std::make_unique<Networks>(*inventory_, clock_);
  pins_ = std::make_unique<NetnsPins>(options_.state_dir);
  reservations_ =
      std::make_unique<Reservations>(*inventory_, *networks_, *pins_, *exit_watcher_, clock_);
  containers_ =
      std::make_unique<Containers>(*inventory_, children_, *exit_watcher_, *fd_keeper_, clock_);
  utsname host{};
  ::uname(&host);
  EngineParts parts{.inventory = *inventory_,
                    .images = *images_,
                    .containers = *containers_,
                    .networks = *networks_,
                    .reservations = *reservations_,
                    .pins = *pins_,
                    .children = children_,
                    .criu = *criu_,
                    .clock = clock_,
                    .state_directory = options_.state_dir,
                    .cgroup_base = cgroup_base_,
                    .kernel_release = host.release,
                    .host = host.nodename,
                    .boot_id = TRY(ReadBootId()),
                    .kernel_cache_primed = kernel_cache_primed_,
                    .workers = static_cast<int>(options_.workers),
                    .runtime_roots = runtime::DefaultRoots};
  std::map<std::string, UniqueFd> pidfds;
  for (systemd::NamedFd& named : kept) pidfds.emplace(named.name, std::move(named.fd));
  TRY(Reconcile(parts, std::move(pidfds)));
  TRY(ReconcileNetworks(parts));
  engine_ = std::make_unique<Engine>(std::move(parts));
  return {};
}

Result<void> Daemon::StartServing(std::vector<systemd::NamedFd> listeners) {
  for (const int signal : {SIGTERM, SIGINT}) {
    sources_.push_back(TRY(loop_->AddSignal(signal, [this] { loop_->Exit(0); })));
  }
  sources_.push_back(TRY(loop_->AddSignal(SIGCHLD, [this] {
    children_.ReapStrangers();
    containers_->Sweep();
  })));
  peers_ = TRY(rpc::PeerTable::Create());
  sources_.push_back(TRY(
      loop_->AddIo(peers_->hang_ups(), EPOLLIN, [this](std::uint32_t) { peers_->DropClosed(); })));
  services_ = std::make_unique<rpc::Services>(*engine_, *peers_);
  server_ = TRY(rpc::Server::Start({.quiet = true}, *peers_, services_->all()));
  TRY(Listen(std::move(listeners)));
  for (rpc::Listener& listener : listeners_) {
    sources_.push_back(TRY(loop_->AddIo(listener.fd(), EPOLLIN, [this, &listener](std::uint32_t) {
      listener.Accept([this](UniqueFd socket, rpc::Peer peer) {
        if (auto added = server_->AddConnection(std::move(socket), std::move(peer)); !added.ok()) {
          spdlog::warn("serve a connection: {}", added.error().message);
        }
      });
    })));
  }
  server_->SetServing(true);
  return {};
}

Result<void> Daemon::Listen(std::vector<systemd::NamedFd> inherited) {
  const std::optional<gid_t> group = TRY(rpc::FindGroup("crd"));
  for (systemd::NamedFd& named : inherited) {
    listeners_.push_back(TRY(rpc::Listener::Adopt(std::move(named.fd), group)));
  }
  if (!listeners_.empty()) return {};
  listeners_.push_back(TRY(rpc::Listener::Bind(TRY(rpc::SocketPath(options_.socket)), group)));
  return {};
}

Result<int> Daemon::Run() {
  spdlog::info("crd {} serves on {}, state in {}, CRIU {} at {}", CRD_VERSION,
               listeners_.front().address(), options_.state_dir, criu_->version().ToString(),
               criu_->path());
  TRY(notifier_.Ready());
  const int code = TRY(loop_->Run());
  Stop();
  return code;
}

// What runs finishes or is rolled back; trees run on.
void Daemon::Stop() {
  static_cast<void>(notifier_.Stopping());
  server_->SetServing(false);
  engine_->Drain(SteadyClock::now() + kDrainPatience);
  server_->Shutdown(SteadyClock::now() + kCallPatience);
}

Daemon::~Daemon() {
  if (!cgroup_base_.empty()) RemoveEmptyCgroups(cgroup_base_);
}

}  // namespace crd
