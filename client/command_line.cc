#include "client/command_line.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "client/commands/validators.h"
#include "client/connection.h"
#include "client/errors.h"
#include "client/exit_codes.h"

namespace crd::client {
namespace {

struct CommandEntry {
  const char* name;
  const char* alias;  // null: none
  const char* description;
  void (*add)(CLI::App& app, Command& chosen);
};

constexpr std::array kCommands = {
    CommandEntry{"checkpoint", nullptr, "Make a checkpoint of a running tree", AddCheckpoint},
    CommandEntry{"restore", nullptr, "Bring a checkpoint back to life", AddRestore},
    CommandEntry{"list", "ls", "List checkpoints", AddList},
    CommandEntry{"ps", nullptr, "List containers", AddPs},
    CommandEntry{"show", nullptr, "Tell everything about a checkpoint or container", AddShow},
    CommandEntry{"events", nullptr, "Tell what happens", AddEvents},
    CommandEntry{"wait", nullptr, "Wait until a container has ended", AddWait},
    CommandEntry{"kill", nullptr, "Send a signal to a container", AddKill},
    CommandEntry{"forget", nullptr, "Drop the records of containers that have ended", AddForget},
    CommandEntry{"check", nullptr, "Tell what is in the way of a checkpoint or restore", AddCheck},
    CommandEntry{"verify", nullptr, "Look for damage in a checkpoint", AddVerify},
    CommandEntry{"import-images", nullptr, "Take images of criu, runc or crun in", AddImportImages},
    CommandEntry{"rm", nullptr, "Remove checkpoints", AddRm},
    CommandEntry{"network", nullptr, "Networks, and who has which address", AddNetwork},
    CommandEntry{"info", nullptr, "Tell about crd", AddInfo},
    CommandEntry{"version", nullptr, "Tell crctl's version", AddVersion},
};

// To build the options of all commands takes 0.4 ms, so only those are built that can be meant: the
// command's name is one of the arguments.
bool MayBeMeant(const CommandEntry& entry, const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument == entry.name || (entry.alias != nullptr && argument == entry.alias);
  });
}

void AddGlobalOptions(CLI::App& app, Settings& settings, std::int64_t& timeout_us) {
  app.add_option("--socket", settings.socket,
                 fmt::format("Where crd listens ({})", kDefaultAddress))
      ->transform(AsSocketPath())
      ->option_text("ADDR (Env:CRD_SOCKET)");
  app.add_flag("--json", settings.json, "Print the API's messages, one a line");
  app.add_option("--timeout", timeout_us, "Give up after so long: 500ms, 30s, 1h30m")
      ->transform(AsMicroseconds())
      ->option_text("DUR");
  app.set_version_flag("--version", "crctl " CRD_VERSION, "Print crctl's version");
}

void AddCommands(CLI::App& app, const std::vector<std::string>& arguments, Command& chosen) {
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  // --json and its like may also stand behind the command.
  app.fallthrough();
  for (const CommandEntry& entry : kCommands) {
    CLI::App* command = app.add_subcommand(entry.name, entry.description);
    command->group("Commands");
    if (entry.alias != nullptr) command->alias(entry.alias);
    if (MayBeMeant(entry, arguments)) entry.add(*command, chosen);
  }
}

// CLI11 has envname() for this, but from 2.4 on passes over a value that it cannot take; a crd that
// was not meant would be asked then.
void TakeSocketFromEnvironment(const CLI::App& app, Settings& settings) {
  const char* address = std::getenv("CRD_SOCKET");  // NOLINT(concurrency-mt-unsafe): no threads yet
  if (address == nullptr || *address == '\0' || app.count("--socket") != 0) return;
  std::string path = address;
  const std::string problem = AsSocketPath()(path);
  if (!problem.empty()) throw CLI::ValidationError("CRD_SOCKET", problem);
  settings.socket = std::move(path);
}

Notice Complain(const CLI::App& app, const CLI::ParseError& problem) {
  if (problem.get_exit_code() == 0) {
    const bool version = problem.get_name() == "CallForVersion";
    return {.status = kDone, .out = version ? std::string(problem.what()) + "\n" : app.help()};
  }
  Error error{.message = problem.what()};
  const auto commands = app.get_subcommands();
  const auto unknown = app.remaining();
  if (commands.empty() && !unknown.empty()) {
    error.message = fmt::format("there is no command or option '{}'", unknown.front());
  } else if (commands.empty() && problem.get_name() == "RequiredError") {
    error.message = "what is to be done? No command was given";
  }
  error.hint = fmt::format("see `crctl{} --help`",
                           commands.empty() ? "" : " " + commands.front()->get_name());
  return {.status = kUsage, .err = Render(error)};
}

// What became of the results: a reader that has seen enough ends crctl as SIGPIPE would have.
int StatusOfOutput(Session& session, int status) {
  const int failure = session.out().failure();
  if (status != kDone || failure == 0) return status;
  if (failure == EPIPE) return kSignalBase + SIGPIPE;
  session.err().Write(Render(Error::FromErrno(failure, "cannot write the result to stdout")));
  return kFailed;
}

}  // namespace

std::variant<Invocation, Notice> ParseCommandLine(std::vector<std::string> arguments) {
  Invocation invocation;
  invocation.settings.socket = "/run/crd/crd.sock";
  std::int64_t timeout_us = 0;
  CLI::App app("Checkpoint and restore running programs, by way of crd.", "crctl");
  app.footer(
      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon.\n"
      "`crctl COMMAND --help` tells about a command.\n\n"
      "Examples:\n"
      "  crctl checkpoint --pid 4711 --name before-upgrade\n"
      "  crctl restore before-upgrade\n"
      "  crctl list");
  AddGlobalOptions(app, invocation.settings, timeout_us);
  AddCommands(app, arguments, invocation.command);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
    TakeSocketFromEnvironment(app, invocation.settings);
  } catch (const CLI::ParseError& problem) {
    return Complain(app, problem);
  }
  invocation.settings.timeout = std::chrono::microseconds(timeout_us);
  return invocation;
}

int Execute(Session& session, const Command& command) {
  const Result<int> status = command(session);
  if (status.ok()) return StatusOfOutput(session, *status);
  session.err().Write(Render(status.error()));
  if (session.interrupted_by() != 0) return kSignalBase + session.interrupted_by();
  return ExitCode(status.error());
}

}  // namespace crd::client
