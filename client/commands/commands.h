#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "client/session.h"
#include "daemon/base/result.h"

namespace crd::client {

// What a command line asks for: gives crctl's exit status, or what is to be said on stderr.
using Command = std::function<Result<int>(Session&)>;

// Each adds the options and the help of one command to `app`; when it is parsed there, what is to
// be run goes to `chosen`. Nothing is sent before that.
void AddCheckpoint(CLI::App& app, Command& chosen);
void AddRestore(CLI::App& app, Command& chosen);
void AddList(CLI::App& app, Command& chosen);
void AddPs(CLI::App& app, Command& chosen);
void AddShow(CLI::App& app, Command& chosen);
void AddEvents(CLI::App& app, Command& chosen);
void AddWait(CLI::App& app, Command& chosen);
void AddKill(CLI::App& app, Command& chosen);
void AddForget(CLI::App& app, Command& chosen);
void AddCheck(CLI::App& app, Command& chosen);
void AddImportImages(CLI::App& app, Command& chosen);
void AddVerify(CLI::App& app, Command& chosen);
void AddRm(CLI::App& app, Command& chosen);
void AddNetwork(CLI::App& app, Command& chosen);
void AddInfo(CLI::App& app, Command& chosen);
void AddVersion(CLI::App& app, Command& chosen);

}  // namespace crd::client
