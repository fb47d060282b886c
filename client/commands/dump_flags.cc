#include "client/commands/dump_flags.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "client/commands/validators.h"
#include "client/size.h"

namespace crd::client {
namespace {

struct Flag {
  const char* name;
  const char* description;
  void (v1::DumpOptions::*set)(bool);
  bool (v1::DumpOptions::*get)() const;
};

constexpr std::array kFlags = {
    Flag{"--leave-running", "Let the tree run on", &v1::DumpOptions::set_leave_running,
         &v1::DumpOptions::leave_running},
    Flag{"--tcp-established", "Take established TCP connections along",
         &v1::DumpOptions::set_tcp_established, &v1::DumpOptions::tcp_established},
    Flag{"--file-locks", "Take file locks along", &v1::DumpOptions::set_file_locks,
         &v1::DumpOptions::file_locks},
    Flag{"--ext-unix-sk", "Allow Unix sockets whose other end is outside of the tree",
         &v1::DumpOptions::set_ext_unix_sk, &v1::DumpOptions::ext_unix_sk},
    Flag{"--shell-job", "The tree was started from a shell and uses its terminal",
         &v1::DumpOptions::set_shell_job, &v1::DumpOptions::shell_job},
    Flag{"--link-remap", "Give deleted files that have other names a name for the meantime",
         &v1::DumpOptions::set_link_remap, &v1::DumpOptions::link_remap},
    Flag{"--tcp-skip-in-flight", "Leave out connections that are being established",
         &v1::DumpOptions::set_tcp_skip_in_flight, &v1::DumpOptions::tcp_skip_in_flight},
};

constexpr std::pair<std::string_view, v1::NetworkSaving> kNetworks[] = {
    {"prepared", v1::NETWORK_SAVING_UNSPECIFIED},
    {"none", v1::NETWORK_SAVING_NONE},
    {"criu", v1::NETWORK_SAVING_CRIU},
};

CLI::Validator IsNetwork() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        for (const auto& [name, saving] : kNetworks) {
          if (text == name) return "";
        }
        return fmt::format("'{}' is none of prepared, none and criu", text);
      },
      "");
}

}  // namespace

void AddDumpFlags(CLI::App& app, v1::DumpOptions& options) {
  for (const Flag& flag : kFlags) {
    app.add_flag_callback(
        flag.name, [&options, set = flag.set] { (options.*set)(true); }, flag.description);
  }
  app.add_option_function<std::uint64_t>(
         "--ghost-limit", [&options](std::uint64_t bytes) { options.set_ghost_limit(bytes); },
         "Take deleted but open files of up to this size along (1M)")
      ->transform(AsBytes())
      ->option_text("SIZE");
  app.add_option_function<std::string>(
         "--network",
         [&options](const std::string& text) {
           for (const auto& [name, saving] : kNetworks) {
             if (text == name) options.set_network(saving);
           }
         },
         "What to save of a network namespace of its own: prepared (the default: what crd needs "
         "to\n"
         "build it again), none (the same, even if crd cannot), criu (its contents, by CRIU)")
      ->check(IsNetwork())
      ->option_text("HOW");
}

std::vector<std::string> DumpFlags(const v1::DumpOptions& options) {
  std::vector<std::string> flags;
  for (const Flag& flag : kFlags) {
    if ((options.*flag.get)()) flags.emplace_back(flag.name);
  }
  if (options.ghost_limit() != 0) {
    flags.push_back("--ghost-limit " + FormatSize(options.ghost_limit()));
  }
  for (const auto& [name, saving] : kNetworks) {
    if (options.network() != saving || saving == v1::NETWORK_SAVING_UNSPECIFIED) continue;
    flags.push_back(fmt::format("--network {}", name));
  }
  return flags;
}

}  // namespace crd::client
