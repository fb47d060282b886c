#include <csignal>
#include <memory>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/validators.h"
#include "client/exit_codes.h"
#include "client/json.h"

namespace crd::client {
namespace {

struct Args {
  std::string key;
  int signal = SIGTERM;
};

Result<int> Run(Session& session, const Args& args) {
  v1::SignalRequest request;
  request.set_container(args.key);
  request.set_signal(args.signal);
  const auto sent =
      TRY(session.Call(&v1::ContainerService::Stub::Signal, request, session.Limited()));
  if (session.settings().json) session.out().Line(ToJson(sent));
  return kDone;
}

}  // namespace

void AddKill(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_option("CONTAINER", args->key, "Its id, a unique prefix of it, or its name")
      ->option_text(" ")
      ->required();
  app.add_option("-s,--signal", args->signal, "By name or number (TERM)")
      ->transform(AsSignal())
      ->option_text("SIG");
  app.footer(
      "Sends a signal to the root of the container's tree.\n\n"
      "Examples:\n"
      "  crctl kill web\n"
      "  crctl kill -s KILL 4f2a");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
