#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crd::rpc {

// Text of unknown origin (command lines, paths, CRIU's words) made fit for the wire and the log.
// Pure.

// Every byte that belongs to no valid UTF-8 character as '?': a protobuf string with such a byte
// cannot be read by whoever gets it.
std::string ValidUtf8(std::string_view text);

// Valid UTF-8 of at most `limit` bytes; what is cut off leaves an ellipsis.
std::string Shorten(std::string_view text, std::size_t limit);

// The same without control characters: nobody gets to write a line of the log of his own.
std::string OneLine(std::string_view text, std::size_t limit);

}  // namespace crd::rpc
