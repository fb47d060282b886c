#pragma once

#include <string>
#include <variant>
#include <vector>

#include "client/commands/commands.h"
#include "client/session.h"

namespace crd::client {

// What was asked for.
struct Invocation {
  Settings settings;
  Command command;
};

// Nothing is to be done but to say something: help, or what is wrong with the command line.
struct Notice {
  int status = 0;
  std::string out;
  std::string err;
};

// Reads the arguments (without the program's name) and CRD_SOCKET. Sends nothing.
std::variant<Invocation, Notice> ParseCommandLine(std::vector<std::string> arguments);

// Runs a command and says on stderr why it failed, if it did. Gives crctl's exit status.
int Execute(Session& session, const Command& command);

}  // namespace crd::client
