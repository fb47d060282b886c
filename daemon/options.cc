#include "daemon/options.h"

#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace crd {
namespace {

constexpr unsigned kMostWorkers = 64;

constexpr const char* kExamples = R"(
Examples:
  crd                                                  as the system's service, with defaults
  crd --socket /tmp/a/crd.sock --state-dir /tmp/a/state --run-dir /tmp/a/run
                                                       a second crd beside it
  crd --criu /opt/crd/criu/criu --log-level debug      with a CRIU of your own, telling more

The configuration file has a line per option, without the dashes:
  workers = 2
  log-level = debug)";

std::string Address(const std::string& text) {
  if (text.empty()) return "must not be empty";
  // CLI11 takes the option that follows as the value that was left out.
  return text.front() == '-' ? fmt::format("'{}' is no address", text) : std::string();
}

std::string AbsolutePath(const std::string& text) {
  if (text.empty()) return "must not be empty";
  return text.front() == '/' ? std::string() : fmt::format("'{}' is not an absolute path", text);
}

void Declare(CLI::App& app, Options& options) {
  const CLI::Validator address(Address, "");
  const CLI::Validator absolute(AbsolutePath, "");
  app.add_option("--socket", options.socket, "Listen here: a path or unix://PATH")
      ->check(address)
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "Keep checkpoints and records here")
      ->check(absolute)
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "Keep what need not survive a reboot here")
      ->check(absolute)
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--criu", options.criu, "Use this CRIU (default: crd's own, or the one in PATH)")
      ->check(absolute)
      ->type_name("PATH");
  app.add_option("--log-level", options.log_level, "Tell this much")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--workers", options.workers, "Do so many operations at once")
      ->check(CLI::Range(1U, kMostWorkers))
      ->type_name("N")
      ->capture_default_str();
  app.set_config("--config", options.config, "Read options from this file")
      ->check(absolute)
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", "crd " CRD_VERSION);
  app.footer(kExamples);
}

}  // namespace

Result<std::variant<Options, PrintAndExit>> ParseOptions(int argc, const char* const* argv) {
  using Parsed = std::variant<Options, PrintAndExit>;
  CLI::App app("Checkpoint and restore daemon. crctl(1) talks to it.", "crd");
  try {
    Options options;
    Declare(app, options);
    app.parse(argc, argv);
    options.config = app.get_config_ptr()->as<std::string>();
    return Parsed(std::move(options));
  } catch (const CLI::CallForHelp&) {
    return Parsed(PrintAndExit{app.help()});
  } catch (const CLI::CallForVersion& version) {
    return Parsed(PrintAndExit{std::string(version.what()) + "\n"});
  } catch (const CLI::Error& error) {
    return Error{.code = Code::kInvalidArgument,
                 .message = error.what(),
                 .hint = "crd --help lists the options"};
  }
}

}  // namespace crd
