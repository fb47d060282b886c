#include <memory>
#include <utility>

#include "client/commands/commands.h"
#include "client/commands/exit_status.h"
#include "client/commands/pages.h"
#include "client/commands/state_names.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

struct Args {
  bool all = false;
  bool quiet = false;
};

std::string Render(const v1::ListContainersResponse& list) {
  Table table({{"ID"},
               {"NAME"},
               {"STATE"},
               {"PID", Table::Align::kRight},
               {"STARTED"},
               {"EXIT"},
               {"COMMAND"}});
  for (const v1::Container& container : list.containers()) {
    table.Add({container.id(), container.name(), StateName(container.state()),
               std::to_string(container.pid()), FormatTime(container.started_us()),
               HasEnded(container) ? ExitText(container) : "", container.command()});
  }
  return table.Render();
}

Result<int> Run(Session& session, const Args& args) {
  const auto list = TRY(ListAll(session, &v1::ListService::Stub::ListContainers, args.all));
  if (session.settings().json) {
    session.out().Line(ToJson(list));
  } else if (args.quiet) {
    for (const v1::Container& container : list.containers()) session.out().Line(container.id());
  } else {
    session.out().Write(Render(list));
  }
  return kDone;
}

}  // namespace

void AddPs(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  app.add_flag("-a,--all", args->all, "Those that have ended too");
  app.add_flag("-q,--quiet", args->quiet, "Ids only, one a line");
  app.footer(
      "Examples:\n"
      "  crctl ps\n"
      "  crctl ps --all --json");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
