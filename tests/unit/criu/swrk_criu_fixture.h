#pragma once

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "daemon/criu/swrk_criu.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/criu/fake_criu.h"

namespace crd::criu {

inline constexpr char kGoodVersion[] = "version 4 2 1\n";
inline const KernelTraits kKernel{.release = "6.18.0", .refuses_passcred_on_inet = true};
// For what is expected not to happen, and for what is expected to be waited for in vain.
inline const Patience kPatient{};
inline const Patience kImpatient{.version = std::chrono::milliseconds(1000),
                                 .cancelled_dump = std::chrono::milliseconds(100),
                                 .undo = std::chrono::milliseconds(100),
                                 .finish = std::chrono::milliseconds(100),
                                 .exit = std::chrono::milliseconds(1000)};

inline Result<void> Agree(DumpStage) { return {}; }
inline Result<void> AgreeToRestore(RestoreStage, pid_t) { return {}; }
inline Error Objection() { return {.code = Code::kAborted, .reason = "MINE", .message = "no"}; }

// Every test ends without a child: whatever CRIU does, it is reaped.
class SwrkCriuTest : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

  std::unique_ptr<SwrkCriu> Create(const std::string& path) {
    return SwrkCriu::Create(path, children_, kKernel, patience_);
  }

  Result<DumpReport> Dump(const FakeProgram& program, const DumpObserver& observer,
                          Deadline deadline = kNoDeadline) {
    DumpRequest request;
    request.pid = 4242;
    request.images = program.work();
    request.work = program.work();
    request.deadline = deadline;
    return Create(program.path())->Dump(request, observer, cancel_);
  }

  Result<RestoreReport> Restore(const FakeProgram& program, const RestoreObserver& observer,
                                Deadline deadline = kNoDeadline) {
    RestoreRequest request;
    request.images = program.work();
    request.work = program.work();
    request.deadline = deadline;
    return Create(program.path())->Restore(request, observer, cancel_);
  }

  Children children_;
  CancelToken cancel_;
  Patience patience_ = kPatient;
};

}  // namespace crd::criu
