#include <memory>
#include <string>
#include <vector>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/each.h"
#include "client/json.h"
#include "daemon/base/ids.h"

namespace crd::client {
namespace {

Result<void> Remove(Session& session, const std::string& key) {
  v1::DeleteRequest request;
  request.set_checkpoint(key);
  request.set_request_id(RandomHex16());
  CallOptions options = session.Limited();
  options.repeat = true;
  v1::DeleteResponse removed;
  // What was typed, should the answer with the id have been lost.
  removed.set_id(key);
  const auto answer = session.Call(&v1::ImageService::Stub::Delete, request, options);
  if (answer.ok()) {
    removed = *answer;
  } else if (!GoneBefore(session, answer.error())) {
    return answer.error();
  }
  session.out().Line(session.settings().json ? ToJson(removed) : removed.id());
  return {};
}

}  // namespace

void AddRm(CLI::App& app, Command& chosen) {
  auto keys = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *keys, "Checkpoints: ids, unique prefixes of them, or names")
      ->option_text("...")
      ->required();
  app.footer(
      "Removes checkpoints, images and records, and prints their ids. What cannot be removed is\n"
      "told, and the others go still.\n\n"
      "Examples:\n"
      "  crctl rm before-upgrade\n"
      "  crctl rm 4f2a 77c0");
  app.callback([keys, &chosen] {
    chosen = [keys](Session& session) {
      return ForEach(session, *keys, [&](const std::string& key) { return Remove(session, key); });
    };
  });
}

}  // namespace crd::client
