#pragma once

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {

// Reads from a descriptor until `text` has come; gives everything that came, which lacks it if it
// did not come in time or the other end was closed.
inline std::string ReadUntil(FdRef from, const std::string& text) {
  std::string all;
  const Deadline deadline = Within(kPatience);
  while (all.find(text) == std::string::npos) {
    pollfd waiting{.fd = from.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, PollTimeout(deadline)) <= 0) break;
    char data[512];
    const ssize_t got = ::read(from.get(), data, sizeof data);
    if (got <= 0) break;
    all.append(data, static_cast<std::size_t>(got));
  }
  return all;
}

inline bool WriteText(FdRef to, const std::string& text) {
  return ::write(to.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A terminal, driven by the test.
class Pty {
 public:
  Pty() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ::grantpt(master_.get());
    ::unlockpt(master_.get());
    char name[64] = {};
    ::ptsname_r(master_.get(), name, sizeof name);
    path_ = name;
  }
  [[nodiscard]] FdRef master() const { return master_.ref(); }
  // Of the side that programs have.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  UniqueFd master_;
  std::string path_;
};

// A pipe of the test's.
struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;  // to read from
  UniqueFd in;   // to write to
};

}  // namespace crd::testing
