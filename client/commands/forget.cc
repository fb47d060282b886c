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

Result<void> Forget(Session& session, const std::string& key) {
  v1::ForgetRequest request;
  request.set_container(key);
  request.set_request_id(RandomHex16());
  CallOptions options = session.Limited();
  options.repeat = true;
  const auto forgotten = session.Call(&v1::ContainerService::Stub::Forget, request, options);
  if (!forgotten.ok() && !GoneBefore(session, forgotten.error())) return forgotten.error();
  if (session.settings().json) session.out().Line(ToJson(v1::ForgetResponse()));
  return {};
}

}  // namespace

void AddForget(CLI::App& app, Command& chosen) {
  auto keys = std::make_shared<std::vector<std::string>>();
  app.add_option("CONTAINER", *keys, "Ids, unique prefixes of them, or names")
      ->option_text("...")
      ->required();
  app.footer(
      "Drops the records of containers that have ended. Their checkpoints stay.\n\n"
      "Examples:\n"
      "  crctl forget web\n"
      "  crctl forget 4f2a 77c0");
  app.callback([keys, &chosen] {
    chosen = [keys](Session& session) {
      return ForEach(session, *keys, [&](const std::string& key) { return Forget(session, key); });
    };
  });
}

}  // namespace crd::client
