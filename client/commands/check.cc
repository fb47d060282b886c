#include <memory>

#include <api/v1/services.grpc.pb.h>

#include "client/commands/commands.h"
#include "client/commands/dump_flags.h"
#include "client/commands/obstacles.h"
#include "client/commands/target.h"
#include "client/exit_codes.h"
#include "client/json.h"

namespace crd::client {
namespace {

struct Args {
  Target target;
  v1::CheckRequest request;
};

Result<v1::CheckResponse> Ask(Session& session, const Args& args) {
  const auto check = [&](const v1::CheckRequest& request) {
    return session.Call(&v1::CheckpointService::Stub::Check, request, session.Limited());
  };
  v1::CheckRequest request = args.request;
  if (args.target.pid != 0) {
    request.set_pid(args.target.pid);
    return check(request);
  }
  request.set_checkpoint(args.target.key);
  const bool runtimes = !args.target.runtime.empty() || !args.target.root.empty();
  Result<v1::CheckResponse> checked = Error{.code = Code::kNotFound};
  if (!runtimes) checked = check(request);
  if (checked.ok() || checked.error().code != Code::kNotFound) return checked;
  request.set_container(args.target.key);
  request.set_runtime(args.target.runtime);
  request.set_runtime_root(args.target.root);
  checked = check(request);
  if (checked.ok() || checked.error().code != Code::kNotFound) return checked;
  return Error{.code = Code::kNotFound,
               .message = fmt::format("no checkpoint or container is called '{}'", args.target.key),
               .hint = "`crctl list --all` and `crctl ps --all` show what there is"};
}

Result<int> Run(Session& session, const Args& args) {
  const v1::CheckResponse answer = TRY(Ask(session, args));
  if (session.settings().json) {
    session.out().Line(ToJson(answer));
  } else if (answer.obstacles().empty()) {
    session.out().Line("nothing is known to be in the way");
  } else {
    session.out().Write(Describe(answer.obstacles()));
  }
  return answer.obstacles().empty() ? kDone : kFailed;
}

}  // namespace

void AddCheck(CLI::App& app, Command& chosen) {
  auto args = std::make_shared<Args>();
  AddTarget(app, args->target, "CONTAINER|CHECKPOINT",
            "Id, unique prefix, or name; a checkpoint is looked for first");
  AddDumpFlags(app, *args->request.mutable_options());
  AddKillExec(app, args->request);
  AddRootfsDiff(app, args->request);
  app.footer(
      "Tells whether a tree could be checkpointed with these options, or a checkpoint be restored\n"
      "here. Prints all that is in the way, and exits with 1 if there is anything. Changes\n"
      "nothing.\n\n"
      "Examples:\n"
      "  crctl check --pid 4711 --tcp-established\n"
      "  crctl check before-upgrade");
  app.callback(
      [args, &chosen] { chosen = [args](Session& session) { return Run(session, *args); }; });
}

}  // namespace crd::client
