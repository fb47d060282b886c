#include <string>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/size.h"
#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

std::string Render(const v1::InfoResponse& info) {
  Details details;
  details.Add("crd", info.version());
  details.Add("started", FormatTime(info.started_us()));
  details.Add("CRIU", info.criu_version() + " (" + info.criu_path() + ")");
  details.Add("CRIU's problem", info.criu_problem());
  details.Add("kernel", info.kernel_release());
  details.Add("kernel cache", info.kernel_cache_primed() ? "primed" : "not primed");
  details.Add("state directory", info.state_directory());
  details.Add("free there", FormatSize(info.free_bytes()));
  details.Add("checkpoints", std::to_string(info.checkpoints()));
  details.Add("containers running", std::to_string(info.containers_running()));
  details.Add("operations running", std::to_string(info.operations_running()));
  return details.Render();
}

Result<int> Run(Session& session) {
  const v1::InfoResponse info =
      TRY(session.Call(&v1::SystemService::Stub::Info, v1::InfoRequest(), session.Limited()));
  if (session.settings().json) {
    session.out().Line(ToJson(info));
  } else {
    session.out().Write(Render(info));
  }
  return kDone;
}

}  // namespace

void AddInfo(CLI::App& app, Command& chosen) {
  app.footer(
      "Tells about crd, its CRIU and what it keeps.\n\n"
      "Examples:\n"
      "  crctl info\n"
      "  crctl info --json");
  app.callback([&chosen] { chosen = Run; });
}

}  // namespace crd::client
