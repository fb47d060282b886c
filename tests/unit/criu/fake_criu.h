#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fcntl.h>

#include "daemon/base/children.h"
#include "daemon/base/files.h"
#include "daemon/criu/swrk_criu.h"
#include "tests/support/temp_dir.h"

namespace crd::criu {

// A SwrkCriu whose program is fake_criu with a script (see fake_criu_main.cc), and a directory for
// what it asks for.
class FakeProgram {
 public:
  explicit FakeProgram(const std::string& script) {
    std::filesystem::create_symlink(CRD_FAKE_CRIU, path());
    std::ofstream(path() + ".script") << script;
    std::filesystem::create_directory(directory_ / "work");
    work_.reset(::open((directory_ / "work").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  [[nodiscard]] std::string path() const { return directory_ / "criu"; }
  [[nodiscard]] FdRef work() const { return work_.ref(); }
  [[nodiscard]] std::string answers() const {
    auto answers = ReadFile(path() + ".answers");
    return answers.ok() ? *answers : std::string();
  }
  // Returns once the program has got this answer; gives up after 10 s.
  void AwaitAnswer(const std::string& line) const {
    const auto deadline = SteadyClock::now() + std::chrono::seconds(10);
    while (answers().find(line) == std::string::npos && SteadyClock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  // Ends a "wait" of the script.
  void LetGoOn() const { std::ofstream(path() + ".go").flush(); }

 private:
  testing::TempDir directory_;
  UniqueFd work_;
};

}  // namespace crd::criu
