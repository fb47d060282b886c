#include <memory>
#include <string>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/obstacles.h"
#include "client/exit_codes.h"
#include "client/json.h"

namespace crd::client {
namespace {

Result<int> Run(Session& session, const std::string& key) {
  v1::VerifyRequest request;
  request.set_checkpoint(key);
  const v1::VerifyResponse answer =
      TRY(session.Call(&v1::ImageService::Stub::Verify, request, session.Limited()));
  if (session.settings().json) {
    session.out().Line(ToJson(answer));
  } else if (answer.damages().empty()) {
    session.out().Line(answer.checkpoint().id());
  } else {
    session.out().Write(Describe(answer.damages()));
  }
  return answer.damages().empty() ? kDone : kFailed;
}

}  // namespace

void AddVerify(CLI::App& app, Command& chosen) {
  auto key = std::make_shared<std::string>();
  app.add_option("ID", *key, "A checkpoint: its id, a unique prefix of it, or its name")
      ->option_text(" ")
      ->required();
  app.footer(
      "Compares every file of a checkpoint with its manifest. Prints the checkpoint's id if all "
      "is\n"
      "well; otherwise what is damaged, and exits with 1.\n\n"
      "Examples:\n"
      "  crctl verify before-upgrade");
  app.callback([key, &chosen] { chosen = [key](Session& session) { return Run(session, *key); }; });
}

}  // namespace crd::client
