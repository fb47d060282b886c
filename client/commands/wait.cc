#include <memory>
#include <string>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/exit_status.h"
#include "client/exit_codes.h"
#include "client/json.h"

namespace crd::client {
namespace {

Result<int> Run(Session& session, const std::string& key) {
  v1::WaitRequest request;
  request.set_container(key);
  CallOptions options = session.Limited();
  options.repeat = true;
  options.patience = kLongReconnectPatience;
  Result<v1::Container> ended = session.Call(&v1::ContainerService::Stub::Wait, request, options);
  if (!ended.ok() && ended.error().code == Code::kDeadlineExceeded) {
    return Error{.code = Code::kDeadlineExceeded,
                 .message = fmt::format("container '{}' has not ended in the time given", key),
                 .hint = "wait longer with --timeout, or end it with `crctl kill`"};
  }
  const v1::Container container = TRY(std::move(ended));
  session.out().Line(session.settings().json ? ToJson(container) : ExitText(container));
  return kDone;
}

}  // namespace

void AddWait(CLI::App& app, Command& chosen) {
  auto key = std::make_shared<std::string>();
  app.add_option("CONTAINER", *key, "Its id, a unique prefix of it, or its name")
      ->option_text(" ")
      ->required();
  app.footer(
      "Waits until the container has ended, and prints its exit status: a number, \"signal "
      "NAME\",\n"
      "or \"unknown\". Exits with 0 in each case.\n\n"
      "Examples:\n"
      "  crctl wait web\n"
      "  crctl wait 4f2a --timeout 1m");
  app.callback([key, &chosen] { chosen = [key](Session& session) { return Run(session, *key); }; });
}

}  // namespace crd::client
