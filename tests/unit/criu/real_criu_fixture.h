#pragma once

#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/criu/swrk_criu.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_process.h"
#include "tests/unit/criu/criu_path.h"

namespace crd::criu {

inline Result<void> Agree(DumpStage) { return {}; }
inline Result<void> AgreeToRestore(RestoreStage, pid_t) { return {}; }
inline Error Objection() { return {.code = Code::kAborted, .reason = "MINE", .message = "no"}; }

inline UniqueFd Open(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

// What crd relies on, asked of the real program (needs root): CRD_CRIU, else where deploy/setup
// puts it. A machine without CRIU fails these tests; `ctest -LE criu` leaves them out.
class RealCriuTest : public ::testing::Test {
 protected:
  RealCriuTest()
      : null_(Open("/dev/null", O_RDWR)),
        images_(Open(directory_.path(), O_RDONLY | O_DIRECTORY)),
        criu_(SwrkCriu::Create(CriuPath(), children_)) {}

  void SetUp() override {
    // What the test runner left open, its growing log, would be part of every tree made here.
    ASSERT_EQ(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
    testing::EnsureSession();
    ASSERT_EQ(criu_->problem(), "");
  }

  void TearDown() override {
    victim_.reset();
    if (restored_ > 0) {
      ::kill(restored_, SIGKILL);
      ::waitpid(restored_, nullptr, 0);
    }
    children_.ReapStrangers();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  }

  void StartVictim(std::vector<std::string> argv, bool new_session = true) {
    StartVictim(std::move(argv), null_.ref(), null_.ref(), new_session);
  }
  void StartVictim(std::vector<std::string> argv, FdRef in, FdRef out, bool new_session = true) {
    auto child = children_.Launch({.argv = std::move(argv),
                                   .descriptors = {{in, 0}, {out, 1}, {null_.ref(), 2}},
                                   .new_session = new_session});
    ASSERT_TRUE(child.ok()) << child.error().message;
    victim_.emplace(std::move(*child));
    // Until it has become the program, it is not what is to be dumped.
    const auto deadline = SteadyClock::now() + std::chrono::seconds(10);
    while (SteadyClock::now() < deadline && StateOf(victim_->pid()) != 'S') ::usleep(1000);
    ASSERT_EQ(StateOf(victim_->pid()), 'S');
  }

  DumpRequest DumpOf(pid_t pid) {
    DumpRequest request;
    request.pid = pid;
    request.images = request.work = images_.ref();
    request.deadline = SteadyClock::now() + std::chrono::seconds(30);
    return request;
  }
  RestoreRequest RestoreOf() {
    RestoreRequest request;
    request.images = request.work = images_.ref();
    request.deadline = SteadyClock::now() + std::chrono::seconds(30);
    return request;
  }

  // Dumps the victim for good, and waits until its pid is free.
  pid_t DumpAway(const DumpOptions& options = {}) {
    DumpRequest request = DumpOf(victim_->pid());
    request.options = options;
    const auto dumped = criu_->Dump(request, &Agree, cancel_);
    EXPECT_TRUE(dumped.ok()) << ::testing::PrintToString(dumped);
    const auto status = victim_->Wait(SteadyClock::now() + std::chrono::seconds(10));
    EXPECT_EQ(status.ok() ? status->signal : std::nullopt, SIGKILL);
    return request.pid;
  }

  void Restore(const RestoreRequest& request) {
    const auto restored = criu_->Restore(request, &AgreeToRestore, cancel_);
    ASSERT_TRUE(restored.ok()) << ::testing::PrintToString(restored) << "\n"
                               << ReadFile(directory_ / "restore.log").Annotate("").ok();
    restored_ = restored->pid;
  }

  static std::string Status(pid_t pid, const std::string& field) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line)) {
      if (line.starts_with(field + ":\t")) return line.substr(field.size() + 2);
    }
    return {};
  }
  static char StateOf(pid_t pid) { return Status(pid, "State").append(1, '-').front(); }

  // Alive, let go by CRIU, and doing what it is told: one that is stopped would not die of this.
  void ExpectVictimRuns() {
    EXPECT_EQ(Status(victim_->pid(), "TracerPid"), "0");
    ASSERT_EQ(::kill(victim_->pid(), SIGTERM), 0);
    const auto status = victim_->Wait(SteadyClock::now() + std::chrono::seconds(10));
    ASSERT_TRUE(status.ok());
    EXPECT_EQ(status->signal, SIGTERM);
  }

  // The other child of this process while an action runs.
  pid_t FindCriu() {
    std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    pid_t pid = 0;
    while (list >> pid) {
      if (pid != victim_->pid()) return pid;
    }
    return 0;
  }

  testing::TempDir directory_;
  UniqueFd null_;
  UniqueFd images_;
  Children children_;
  CancelToken cancel_;
  std::unique_ptr<SwrkCriu> criu_;
  std::optional<Child> victim_;
  pid_t restored_ = 0;
};

}  // namespace crd::criu
