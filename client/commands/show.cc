#include <memory>
#include <string>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/show_text.h"
#include "client/exit_codes.h"
#include "client/json.h"

namespace crd::client {
namespace {

using Stub = v1::ListService::Stub;

// True if there is such an object, and it was shown.
template <typename Message>
Result<bool> Show(Session& session, const std::string& key,
                  grpc::Status (Stub::*get)(grpc::ClientContext*, const v1::GetRequest&,
                                            Message*)) {
  v1::GetRequest request;
  request.set_key(key);
  const Result<Message> found = session.Call(get, request, session.Limited());
  if (!found.ok() && found.error().code == Code::kNotFound) return false;
  TRY(found);
  if (session.settings().json) {
    session.out().Line(ToJson(*found));
  } else {
    session.out().Write(Describe(*found));
  }
  return true;
}

Result<int> Run(Session& session, const std::string& key) {
  if (TRY(Show<v1::Checkpoint>(session, key, &Stub::GetCheckpoint))) return kDone;
  if (TRY(Show<v1::Container>(session, key, &Stub::GetContainer))) return kDone;
  if (TRY(Show<v1::Operation>(session, key, &Stub::GetOperation))) return kDone;
  return Error{.code = Code::kNotFound,
               .message = fmt::format("no checkpoint, container or operation is called '{}'", key),
               .hint = "`crctl list --all` and `crctl ps --all` show what there is"};
}

}  // namespace

void AddShow(CLI::App& app, Command& chosen) {
  auto key = std::make_shared<std::string>();
  app.add_option("ID", *key, "A checkpoint, container or operation: id, unique prefix, or name")
      ->option_text(" ")
      ->required();
  app.footer(
      "A checkpoint is looked for first, then a container, then an operation.\n\n"
      "Examples:\n"
      "  crctl show before-upgrade\n"
      "  crctl show 4f2a --json");
  app.callback([key, &chosen] { chosen = [key](Session& session) { return Run(session, *key); }; });
}

}  // namespace crd::client
