#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/integration/support/process.h"

namespace crd::testing {

// What people and scripts use: runs crctl against one crd.
class Crctl {
 public:
  Crctl(ChildReaper& reaper, std::string socket) : reaper_(reaper), socket_(std::move(socket)) {}

  using Words = std::vector<std::string>;
  // Runs a command to its end.
  [[nodiscard]] Outcome operator()(const Words& words, const std::string& input = "") const;
  // The same with --json; the first line of output, parsed. A discarded value if it is none.
  [[nodiscard]] nlohmann::json Json(const Words& words) const;
  // Starts it and lets it run. Streams are the launch's, its argv is not used.
  [[nodiscard]] std::unique_ptr<Process> Start(const Words& words, Launch launch) const;
  [[nodiscard]] Words CommandLine(const Words& words) const;

 private:
  ChildReaper& reaper_;
  const std::string socket_;
};

}  // namespace crd::testing
