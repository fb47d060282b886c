#pragma once

#include <CLI/CLI.hpp>

namespace crd::client {

// For CLI11's Option::transform(): each turns what was typed into the number that the option's
// variable takes, or says what is wrong with it.
CLI::Validator AsMicroseconds();  // "1h30m"
CLI::Validator AsBytes();         // "64K"
CLI::Validator AsSignal();        // "TERM"
CLI::Validator AsPid();           // "4711"
CLI::Validator AsSocketPath();    // "unix:///run/crd/crd.sock": the path in it
CLI::Validator AsAbsolutePath();  // "run.log": from the working directory

}  // namespace crd::client
