#include "client/commands/obstacles.h"

#include <fmt/format.h>

#include "client/printable.h"

namespace crd::client {

std::string Describe(const google::protobuf::RepeatedPtrField<v1::Obstacle>& obstacles) {
  std::string text;
  for (const v1::Obstacle& obstacle : obstacles) {
    std::string line = obstacle.reason();
    if (obstacle.pid() != 0) line += fmt::format(" (pid {})", obstacle.pid());
    if (!line.empty()) line += ": ";
    text += Printable(line + obstacle.message()) + "\n";
    if (!obstacle.hint().empty()) text += fmt::format("  hint: {}\n", Printable(obstacle.hint()));
  }
  return text;
}

}  // namespace crd::client
