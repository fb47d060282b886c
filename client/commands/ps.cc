#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/exit_status.h"
#include "client/commands/pages.h"
#include "client/commands/state_names.h"
#include "client/commands/validators.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

struct Args {
  bool all = false;
  bool quiet = false;
  bool runtime = false;
  std::string root;
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

std::string Render(const v1::ListRuntimeContainersResponse& list) {
  Table table({{"ID"},
               {"NAME"},
               {"ENGINE"},
               {"RUNTIME"},
               {"STATUS"},
               {"PID", Table::Align::kRight},
               {"BUNDLE"}});
  for (const v1::RuntimeContainer& container : list.containers()) {
    table.Add({container.id(), container.name(), container.engine(), container.runtime(),
               container.status(), container.pid() == 0 ? "" : std::to_string(container.pid()),
               container.bundle()});
  }
  return table.Render();
}

Result<int> RunRuntime(Session& session, const Args& args) {
  v1::ListRuntimeContainersRequest request;
  request.set_runtime_root(args.root);
  v1::ListRuntimeContainersResponse list =
      TRY(session.Call(&v1::ListService::Stub::ListRuntimeContainers, request, session.Limited()));
  if (!args.all) {
    auto* containers = list.mutable_containers();
    containers->erase(
        std::remove_if(containers->begin(), containers->end(),
                       [](const v1::RuntimeContainer& one) { return one.status() == "stopped"; }),
        containers->end());
  }
  if (session.settings().json) {
    session.out().Line(ToJson(list));
  } else if (args.quiet) {
    for (const v1::RuntimeContainer& container : list.containers()) {
      session.out().Line(container.id());
    }
  } else {
    session.out().Write(Render(list));
  }
  for (const v1::Error& problem : list.problems()) {
    session.err().Line(fmt::format("crctl: {}", problem.message()));
  }
  return list.problems().empty() ? kDone : kFailed;
}

Result<int> Run(Session& session, const Args& args) {
  if (args.runtime || !args.root.empty()) return RunRuntime(session, args);
  v1::ListRequest request;
  request.set_all(args.all);
  const auto list = TRY(ListAll(session, &v1::ListService::Stub::ListContainers, request));
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
  app.add_flag("--runtime", args->runtime,
               "The containers of runc and crun, whoever made them, instead of crd's");
  app.add_option("--root", args->root, "The same, and those of this state directory")
      ->transform(AsAbsolutePath())
      ->option_text("DIR");
  app.footer(
      "Examples:\n"
      "  crctl ps\n"
      "  crctl ps --all --json\n"
      "  crctl ps --runtime");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
