#include "tests/integration/support/crctl.h"

namespace crd::testing {

Crctl::Words Crctl::CommandLine(const Words& words) const {
  Words line = {CRCTL_BINARY, "--socket", "unix://" + socket_};
  line.insert(line.end(), words.begin(), words.end());
  return line;
}

Outcome Crctl::operator()(const Words& words, const std::string& input) const {
  return RunProgram(reaper_, CommandLine(words), input);
}

nlohmann::json Crctl::Json(const Words& words) const {
  Words with_json = words;
  with_json.emplace_back("--json");
  const std::string out = (*this)(with_json).out;
  return nlohmann::json::parse(out.substr(0, out.find('\n')), nullptr, /*allow_exceptions=*/false);
}

std::unique_ptr<Process> Crctl::Start(const Words& words, Launch launch) const {
  launch.argv = CommandLine(words);
  return std::make_unique<Process>(reaper_, launch);
}

}  // namespace crd::testing
