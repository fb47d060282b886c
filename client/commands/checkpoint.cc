#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "client/commands/commands.h"
#include "client/commands/dump_flags.h"
#include "client/commands/make_checkpoint.h"
#include "client/commands/target.h"
#include "client/commands/validators.h"

namespace crd::client {
namespace {

struct Args {
  Target target;
  v1::CheckpointRequest request;
};

Result<int> Run(Session& session, const Args& args) {
  v1::CheckpointRequest request = args.request;
  if (args.target.pid != 0) {
    request.set_pid(args.target.pid);
  } else {
    request.set_container(args.target.key);
    request.set_runtime(args.target.runtime);
    request.set_runtime_root(args.target.root);
  }
  return MakeCheckpoint(session, &v1::CheckpointService::Stub::Checkpoint, std::move(request));
}

void AddNetworkOptions(CLI::App& app, v1::CheckpointRequest& request) {
  app.add_option_function<std::string>(
         "--network-mode",
         [&request](const std::string& keeping) {
           request.set_network_keeping(keeping == "release" ? v1::NETWORK_KEEPING_RELEASE
                                                            : v1::NETWORK_KEEPING_HOLD);
         },
         "What keeps the addresses of a tree with a network namespace of its own: hold (the\n"
         "default: the namespace stays and goes on to answer) or release (the record alone)")
      ->check(CLI::IsMember({"hold", "release"}))
      ->option_text("MODE");
  app.add_option_function<std::int64_t>(
         "--reserve-for", [&request](std::int64_t us) { request.set_reserve_for_us(us); },
         "Keep them only for so long: 30s, 2h (as long as there is the checkpoint)")
      ->transform(AsMicroseconds())
      ->option_text("DUR");
}

}  // namespace

void AddCheckpoint(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  AddTarget(app, args->target, "CONTAINER",
            "A container of crd's, runc's or crun's: id, unique prefix, name");
  app.add_option_function<std::string>(
         "--name", [args](const std::string& name) { args->request.set_name(name); },
         "A name for the checkpoint")
      ->option_text("NAME");
  AddDumpFlags(app, *args->request.mutable_options());
  AddKillExec(app, args->request);
  AddNetworkOptions(app, args->request);
  AddRootfsDiff(app, args->request);
  app.add_flag_callback(
      "--force", [args] { args->request.set_force(true); },
      "End a container of an engine's, which then takes its root and network down");
  app.footer(
      "Prints the checkpoint's id. The tree ends, unless --leave-running is given. --timeout\n"
      "limits the whole operation; when it passes, and on Ctrl-C, everything is undone and the\n"
      "tree runs on.\n\n"
      "Examples:\n"
      "  crctl checkpoint --pid 4711\n"
      "  crctl checkpoint --pid 4711 --name before-upgrade --leave-running\n"
      "  crctl checkpoint web --tcp-established --timeout 30s\n"
      "  crctl checkpoint web --runtime runc --leave-running\n"
      "  crctl checkpoint web --network-mode release --reserve-for 24h\n"
      "  crctl checkpoint web --rootfs-diff=/srv/images/web\n"
      "  crctl checkpoint my-podman-container --leave-running");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
