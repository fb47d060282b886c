// What cannot be meant: refused with code, sentence and hint, and nothing changes.
#include <csignal>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <unistd.h>

#include "daemon/base/proc.h"
#include "tests/integration/support/stopping_criu.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class BadInput : public IntegrationTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(api_->Checkpoints(/*all=*/true).size(), checkpoints_);
    IntegrationTest::TearDown();
  }
  // A checkpoint of this pid is refused so, by the API and by crctl, with a hint.
  void ExpectPidRefused(pid_t pid, const std::string& reason, const std::string& text) {
    v1::CheckpointRequest request;
    request.set_pid(pid);
    const auto answer = api_->Checkpoint(request);
    EXPECT_THAT(answer, FailsBecause(reason));
    EXPECT_THAT(answer.error.message(), HasSubstr(text));
    EXPECT_THAT(answer.error.hint(), Not(IsEmpty()));
    if (pid <= 0) return;  // wrong usage already for crctl
    EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", std::to_string(pid)}), text));
    v1::CheckRequest check;
    check.set_pid(pid);
    EXPECT_FALSE(api_->Check(check).ok());
  }
  std::size_t checkpoints_ = 0;  // that there are meant to be at the end
};

// Pids --------------------------------------------------------------------------------------------

TEST_F(BadInput, PidThatDoesNotExist) {
  pid_t free = 4'000'000;
  while (ReadStartTime(free).ok()) --free;
  ExpectPidRefused(free, "NO_SUCH_PROCESS", "there is no process " + std::to_string(free));
}

TEST_F(BadInput, PidThatIsNone) {
  for (const pid_t pid : {0, -1, std::numeric_limits<pid_t>::min()}) {
    ExpectPidRefused(pid, "INVALID_PID", "is not a pid");
  }
  for (const char* pid : {"0", "-1", "x", "", "4294967296", "1.5"})
    EXPECT_EQ(crctl_({"checkpoint", "--pid", pid}).exit, 2) << pid;
}

TEST_F(BadInput, PidOfInit) { ExpectPidRefused(1, "INIT_PROCESS", "init"); }

TEST_F(BadInput, PidOfAThreadOfTheKernel) {
  pid_t kernel_thread = -1;
  const auto all = proc::ListProcesses();
  ASSERT_TRUE(all.ok());
  for (const pid_t pid : *all) {
    if (ParentOf(pid) == 2) kernel_thread = pid;
  }
  if (kernel_thread < 0) GTEST_SKIP() << "no thread of the kernel is visible here";
  ExpectPidRefused(kernel_thread, "KERNEL_THREAD", "thread of the kernel");
}

TEST_F(BadInput, PidOfCrdOrOfAnAncestorOfIt) {
  ExpectPidRefused(crd_.pid(), "CRD_IN_TREE", "contains crd itself");
  ExpectPidRefused(::getpid(), "CRD_IN_TREE", "contains crd itself");
}

TEST_F(BadInput, PidOfAThread) {
  Victim victim(reaper_, dir_.path(), "threads", {.arguments = {"2"}});
  ASSERT_TRUE(victim.Started());
  ExpectPidRefused(static_cast<pid_t>(victim.Value(0)), "THREAD_NOT_PROCESS",
                   "is a thread of victim (pid " + victim.PidText() + ")");
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(BadInput, PidOfAZombie) {
  Victim victim(reaper_, dir_.path(), "holder", {.arguments = {dir_ / "reap", "counter"}});
  ASSERT_TRUE(victim.Started());
  const auto child = static_cast<pid_t>(victim.Value(0));
  ::kill(child, SIGKILL);
  ASSERT_TRUE(WaitUntil([&] { return StateOf(child) == 'Z'; }));
  ExpectPidRefused(child, "ZOMBIE", "has ended already");
}

// Names and keys ----------------------------------------------------------------------------------

TEST_F(BadInput, NamesThatAreNone) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::vector<std::string> names = {".",
                                          "..",
                                          "a/b",
                                          "../x",
                                          "/abs",
                                          std::string(65, 'a'),
                                          "a\nb",
                                          "-rf",
                                          " a",
                                          "\xC3\xBC",
                                          std::string("a\0b", 3)};
  for (const std::string& name : names) {
    v1::CheckpointRequest request = CheckpointOf(victim);
    request.set_name(name);
    EXPECT_THAT(api_->Checkpoint(request), FailsBecause("INVALID_NAME")) << name;
  }
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText(), "--name", "a/b"}), "a/b"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(BadInput, NameThatAnotherCheckpointHas) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Checkpointed(victim, {"--leave-running", "--name", "taken"});
  checkpoints_ = 1;
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_name("taken");
  const auto answer = api_->Checkpoint(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(answer.error.hint(), Not(IsEmpty()));
  EXPECT_TRUE(
      Refused(crctl_({"checkpoint", "--pid", victim.PidText(), "--name", "taken"}), "taken"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(BadInput, NameThatAnotherContainerHas) {
  Victim one(reaper_, dir_.path(), "counter");
  Victim other(reaper_, dir_.path(), "tree");
  ASSERT_TRUE(one.Started() && other.Started());
  Restored(Checkpointed(one), {"--name", "taken"});
  const std::string checkpoint = Checkpointed(other);
  checkpoints_ = 2;
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--name", "taken"}), "taken"));
  EXPECT_TRUE(other.Gone());
  EXPECT_EQ(api_->Containers().size(), 1U);
  const auto counts = other.Counts();
  Restored(checkpoint, {"--name", "free"});
  EXPECT_TRUE(other.GoesOnFrom(counts));
}

TEST_F(BadInput, CheckpointThatIsUnknown) {
  for (const Crctl::Words& words : std::vector<Crctl::Words>{{"restore", "nothing"},
                                                             {"show", "nothing"},
                                                             {"rm", "nothing"},
                                                             {"verify", "nothing"},
                                                             {"wait", "nothing"},
                                                             {"kill", "nothing"},
                                                             {"forget", "nothing"},
                                                             {"check", "nothing"}}) {
    EXPECT_TRUE(Refused(crctl_(words), "'nothing'")) << words.front();
  }
  EXPECT_THAT(api_->Restore(RestoreOf("nothing")), FailsBecause("CHECKPOINT_NOT_FOUND"));
  EXPECT_THAT(api_->GetContainer("nothing"), FailsBecause("CONTAINER_NOT_FOUND"));
  EXPECT_THAT(api_->GetOperation("nothing"), FailsBecause("OPERATION_NOT_FOUND"));
}

TEST_F(BadInput, PrefixThatIsAmbiguous) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  // Among 17 ids two begin with the same digit.
  std::vector<std::string> ids;
  std::string shared;
  while (shared.empty()) {
    ids.push_back(Checkpointed(victim, {"--leave-running"}));
    ++checkpoints_;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i].front() == ids.back().front()) shared = ids[i].substr(0, 1);
    }
  }
  EXPECT_THAT(api_->GetCheckpoint(shared), FailsBecause("KEY_AMBIGUOUS"));
  EXPECT_TRUE(Refused(crctl_({"rm", shared}), ids.back()));
  EXPECT_EQ(api_->Checkpoints().size(), ids.size());
}

// Requests ----------------------------------------------------------------------------------------

TEST_F(BadInput, OptionsThatContradictEachOther) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  v1::CheckpointRequest dump = CheckpointOf(victim);
  dump.mutable_options()->set_tcp_skip_in_flight(true);
  EXPECT_THAT(api_->Checkpoint(dump), FailsBecause("OPTIONS_CONTRADICT"));
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText(), "--tcp-skip-in-flight"}),
                      "tcp_established"));
  v1::RestoreRequest restore = RestoreOf("any");
  restore.set_tcp_close(true);
  restore.set_tcp_established(true);
  EXPECT_THAT(api_->Restore(restore), FailsBecause("OPTIONS_CONTRADICT"));
  EXPECT_EQ(crctl_({"restore", "any", "--tcp-close", "--tcp-established"}).exit, 2);
  EXPECT_EQ(crctl_({"restore", "any", "--log", "/tmp/x", "--inherit-stdio"}).exit, 2);
  EXPECT_EQ(crctl_({"checkpoint", "any", "--pid", "1"}).exit, 2);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(BadInput, RequestsThatSayNothing) {
  EXPECT_THAT(api_->Checkpoint({}), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Restore({}), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Check({}), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->GetCheckpoint(""), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Delete(""), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Wait(""), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Signal("", SIGTERM), FailsBecause("INVALID_REQUEST"));
}

TEST_F(BadInput, TimesAndSignalsThatAreNone) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_timeout_us(-1);
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Signal("any", 0), FailsBecause("INVALID_REQUEST"));
  EXPECT_THAT(api_->Signal("any", 65), FailsBecause("INVALID_REQUEST"));
  EXPECT_EQ(crctl_({"kill", "any", "-s", "NOTHING"}).exit, 2);
  EXPECT_EQ(crctl_({"list", "--timeout", "soon"}).exit, 2);
}

TEST_F(BadInput, RequestIdThatIsTooLong) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_request_id(std::string(65, 'x'));
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("INVALID_REQUEST"));
}

TEST_F(BadInput, RequestIdOfAnotherRequest) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_request_id("one");
  request.mutable_options()->set_leave_running(true);
  EXPECT_THAT(api_->Checkpoint(request), Worked());
  request.set_name("another");
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("REQUEST_ID_REUSED"));
  checkpoints_ = 1;
}

TEST_F(BadInput, RequestThatIsTooLarge) {
  v1::CheckpointRequest request;
  request.set_container(std::string(5 << 20, 'x'));
  const auto answer = api_->Checkpoint(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(api_->Info(), Worked());
}

TEST_F(BadInput, TextThatIsNoUtf8) {
  // protobuf itself refuses to send such a text as a string: as bytes it passes only the key.
  EXPECT_NE(crctl_({"show", "\xFF\xFE"}).exit, 0);
  EXPECT_NE(crctl_({"restore", "\x01\x02"}).exit, 0);
  EXPECT_THAT(api_->Info(), Worked());
}

TEST_F(BadInput, LogThatIsNoAbsolutePath) {
  v1::RestoreRequest request = RestoreOf("any");
  request.mutable_log()->set_path("relative");
  EXPECT_THAT(api_->Restore(request), FailsBecause("INVALID_REQUEST"));
}

// Trees inside trees ------------------------------------------------------------------------------

class TreesInsideTrees : public WithStoppingCriu {
 protected:
  // Asks for a checkpoint of `asked` while one of `busy` is under way; gives the answer to that.
  Answer<v1::Checkpoint> AskWhileBusy(pid_t asked, pid_t busy) {
    EXPECT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
    v1::CheckpointRequest request;
    request.set_pid(busy);
    auto call = Begin(request);
    const pid_t criu = AwaitStoppedCriu([&] { return Ready(call); });
    EXPECT_GT(criu, 0);
    request.set_pid(asked);
    const auto answer = api_->Checkpoint(request);
    SignalPid(criu, SIGCONT);
    EXPECT_THAT(call.get(), Worked());
    return answer;
  }
  [[nodiscard]] pid_t child() const { return static_cast<pid_t>(holder_.Value(0)); }
  Victim& holder_ = NewVictim("holder", {.arguments = {dir_ / "reap", "memory", "8"}});
};

TEST_F(TreesInsideTrees, TreeThatIsInsideATreeUnderCheckpoint) {
  ASSERT_TRUE(holder_.Started());
  EXPECT_THAT(AskWhileBusy(child(), holder_.pid()), FailsBecause("INSIDE_BUSY_TREE"));
}

TEST_F(TreesInsideTrees, TreeThatContainsATreeUnderCheckpoint) {
  ASSERT_TRUE(holder_.Started());
  EXPECT_THAT(AskWhileBusy(holder_.pid(), child()), FailsBecause("CONTAINS_BUSY_TREE"));
  EXPECT_TRUE(holder_.GoesOn());
}

TEST_F(TreesInsideTrees, TreeThatIsUnderCheckpointItself) {
  ASSERT_TRUE(holder_.Started());
  const auto answer = AskWhileBusy(holder_.pid(), holder_.pid());
  EXPECT_THAT(answer, FailsBecause("TREE_BUSY"));
  EXPECT_THAT(answer.error.hint(), Not(IsEmpty()));
}

}  // namespace
}  // namespace crd::testing
