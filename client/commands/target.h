#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "client/commands/validators.h"

namespace crd::client {

// What is to be checkpointed or checked: pid or key is set.
struct Target {
  std::int32_t pid = 0;
  std::string key;
  std::string runtime;  // whose container the key names; empty: crd's own first, then any
  std::string root;
};

// Adds --pid PID and a positional argument, of which exactly one must be given.
inline void AddTarget(CLI::App& app, Target& target, const std::string& key_name,
                      const std::string& key_description) {
  CLI::App* group = app.add_option_group("Target");
  group->add_option("--pid", target.pid, "The root of a process tree")
      ->check(AsPid())
      ->option_text("PID");
  group->add_option(key_name, target.key, key_description)->option_text(" ");
  group->require_option(1);
  app.add_option("--runtime", target.runtime, "It is a container of this runtime")
      ->check(CLI::IsMember({"runc", "crun"}))
      ->option_text("runc|crun");
  app.add_option("--root", target.root, "Look into this state directory of a runtime, too")
      ->transform(AsAbsolutePath())
      ->option_text("DIR");
}

// Adds --kill-exec. `request` must outlive `app`.
template <typename Request>
void AddKillExec(CLI::App& app, Request& request) {
  app.add_flag_callback(
      "--kill-exec", [&request] { request.set_kill_exec(true); },
      "End what was started in a container from outside (`runc exec`) first; it is not part of it\n"
      "and refused otherwise");
}

// Adds --rootfs-diff and --rootfs-diff=DIR. `request` must outlive `app`.
template <typename Request>
void AddRootfsDiff(CLI::App& app, Request& request) {
  // What a flag has without a value. A directory of that name is "./true".
  constexpr const char* kNoBase = "true";
  auto text = std::make_shared<std::string>();
  app.add_flag(
         "--rootfs-diff", *text,
         "Of a container, also take along what changed in its root: what its overlay says, or\n"
         "with --rootfs-diff=DIR the difference to this directory, which the root was made of")
      ->transform(CLI::Validator(
          [&request, text](std::string& given) {
            std::string base = given == kNoBase ? "" : given;
            std::string problem = base.empty() ? "" : AsAbsolutePath()(base);
            request.mutable_rootfs_diff()->set_base(base);
            return problem;
          },
          ""));
}

}  // namespace crd::client
