#include "client/commands/commands.h"
#include "client/exit_codes.h"

namespace crd::client {
namespace {

Result<int> Run(Session& session) {
  session.out().Line(session.settings().json ? R"({"version":")" CRD_VERSION R"("})"
                                             : "crctl " CRD_VERSION);
  return kDone;
}

}  // namespace

void AddVersion(CLI::App& app, Command& chosen) {
  app.footer(
      "Tells crctl's own version; `crctl info` tells crd's. Asks nobody.\n\n"
      "Examples:\n"
      "  crctl version");
  app.callback([&chosen] { chosen = Run; });
}

}  // namespace crd::client
