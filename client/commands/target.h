#pragma once

#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

#include "client/commands/validators.h"

namespace crd::client {

// What is to be checkpointed or checked: one of the two is set.
struct Target {
  std::int32_t pid = 0;
  std::string key;
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
}

}  // namespace crd::client
