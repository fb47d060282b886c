#include <memory>
#include <utility>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/pages.h"
#include "client/commands/state_names.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/size.h"
#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

struct Args {
  bool all = false;
  bool quiet = false;
};

std::string Render(const v1::ListCheckpointsResponse& list) {
  Table table({{"ID"},
               {"NAME"},
               {"STATE"},
               {"CREATED"},
               {"SIZE", Table::Align::kRight},
               {"PID", Table::Align::kRight},
               {"COMMAND"}});
  for (const v1::Checkpoint& checkpoint : list.checkpoints()) {
    table.Add({checkpoint.id(), checkpoint.name(), StateName(checkpoint.state()),
               FormatTime(checkpoint.created_us()), FormatSize(checkpoint.size_bytes()),
               std::to_string(checkpoint.pid()), checkpoint.command()});
  }
  return table.Render();
}

Result<int> Run(Session& session, const Args& args) {
  v1::ListRequest request;
  request.set_all(args.all);
  const auto list = TRY(ListAll(session, &v1::ListService::Stub::ListCheckpoints, request));
  if (session.settings().json) {
    session.out().Line(ToJson(list));
  } else if (args.quiet) {
    for (const v1::Checkpoint& checkpoint : list.checkpoints()) session.out().Line(checkpoint.id());
  } else {
    session.out().Write(Render(list));
  }
  return kDone;
}

}  // namespace

void AddList(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_flag("-a,--all", args->all, "Failed checkpoints too");
  app.add_flag("-q,--quiet", args->quiet, "Ids only, one a line");
  app.footer(
      "Examples:\n"
      "  crctl list\n"
      "  crctl list --all --json\n"
      "  crctl rm $(crctl list -q)");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
