#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crd::client {

// Text from elsewhere (commands, file names, CRIU's words) as it may go to a terminal: control
// characters, with which a process could write orders to it, become '?'. Line ends do too.
std::string Printable(std::string_view text);

// How many columns a terminal needs for UTF-8 text, counted in code points.
std::size_t Width(std::string_view text);

}  // namespace crd::client
