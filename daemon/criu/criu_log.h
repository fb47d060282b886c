#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"

namespace crd::criu {

// A failure that crd knows, in words for the person who has to act on it.
struct Diagnosis {
  Code code = Code::kFailedPrecondition;
  std::string reason;  // stable, upper case
  std::string message;
  std::string hint;
};

struct LogFindings {
  // CRIU's error lines as they are (control and non-ASCII bytes as \xNN): the first 20, 512
  // characters each.
  std::vector<std::string> lines;
  std::optional<Diagnosis> diagnosis;
};

// What a log of CRIU's (4.1 - 4.3, any bytes) says about why it failed. Pure; linear in the size.
LogFindings StudyLog(std::string_view log);

// The same for a single line, such as the one that CRIU answers with.
std::optional<Diagnosis> DiagnoseLine(std::string_view line);

// A line without its process, position and "Error (file:line):".
std::string_view WithoutPrefix(std::string_view line);

// Bounded to 512 characters of printable ASCII.
std::string Printable(std::string_view line);

}  // namespace crd::criu
