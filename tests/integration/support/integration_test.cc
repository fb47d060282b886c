#include "tests/integration/support/integration_test.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <system_error>

#include <net/if.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace crd::testing {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

OwnNetwork::OwnNetwork() {
  if (::unshare(CLONE_NEWNET) != 0) return;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::string("lo").copy(static_cast<char*>(loopback.ifr_name), IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP;
  made_ = ::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0;
}

std::vector<std::string> OwnNetwork::Tables(ChildReaper& reaper) {
  const Outcome listed = RunProgram(reaper, {"nft", "list", "tables"});
  std::vector<std::string> tables;
  std::istringstream lines(listed.out);
  for (std::string line; std::getline(lines, line);) tables.push_back(line);
  return tables;
}

std::vector<std::string> IntegrationTest::Mounts() const {
  std::vector<std::string> mounts;
  std::istringstream lines(Slurp("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const bool ours = line.find(dir_.path()) != std::string::npos;
    if (ours || line.find(" /tmp ") != std::string::npos) mounts.push_back(line);
  }
  return mounts;
}

void IntegrationTest::SetUp() {
  ASSERT_TRUE(network_.made()) << "these tests need root";
  ASSERT_TRUE(StartCrd());
}

// With a new connection: a client notices only at its next call that the old one has gone.
bool IntegrationTest::StartCrd() {
  const bool started = crd_.Start(DaemonOptions());
  api_ = std::make_unique<Api>(crd_.socket());
  return started;
}

Victim& IntegrationTest::NewVictim(const std::string& mode, const Victim::Options& options) {
  victims_.push_back(std::make_unique<Victim>(reaper_, dir_.path(), mode, options));
  return *victims_.back();
}

void IntegrationTest::TearDown() {
  victims_.clear();
  EXPECT_FALSE(crd_.Died());
  if (!crd_.Runs()) {
    if (HasFailure()) std::cerr << "crd's log:\n" << crd_.Log();
    return;
  }
  // A tree that ends just now is recorded a moment later.
  EXPECT_TRUE(WaitUntil([&] { return crd_.CgroupPids().empty(); })) << "processes are left";
  EXPECT_TRUE(WaitUntil([&] { return api_->Containers().empty(); })) << "an end is not recorded";
  ExpectRecordsAreTrue();
  for (const v1::Checkpoint& checkpoint : api_->Checkpoints(/*all=*/true))
    EXPECT_THAT(api_->Delete(checkpoint.id()), Worked());
  EXPECT_THAT(FilesIn(crd_.state() + "/netns"), ::testing::IsEmpty()) << "namespaces are left";
  EXPECT_THAT(OwnNetwork::Tables(reaper_), ::testing::IsEmpty()) << "network locks are left";
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0})) << "crd did not stop well";
  ExpectDatabaseIsSound();
  EXPECT_THAT(crd_.Cgroups(), ::testing::IsEmpty());
  if (HasFailure()) std::cerr << "crd's log:\n" << crd_.Log();
}

ExitStatus IntegrationTest::StopCrd() {
  api_.reset();
  const ExitStatus status = crd_.Stop();
  api_ = std::make_unique<Api>(crd_.socket());
  return status;
}

bool IntegrationTest::RestartAfterKill9() {
  crd_.Kill9();
  return StartCrd();
}

bool IntegrationTest::Restart() {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  return StartCrd();
}

std::string IntegrationTest::Checkpointed(Victim& victim, const std::vector<std::string>& options) {
  Crctl::Words words = {"checkpoint", "--pid", victim.PidText()};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"--network-mode", network_mode_});
  const Outcome outcome = crctl_(words);
  EXPECT_EQ(outcome.exit, 0) << ::testing::PrintToString(outcome);
  const bool runs_on =
      std::find(options.begin(), options.end(), "--leave-running") != options.end();
  if (outcome.exit == 0 && !runs_on) {
    EXPECT_TRUE(victim.Gone());
  }
  return outcome.Line();
}

std::string IntegrationTest::Restored(const std::string& checkpoint,
                                      const std::vector<std::string>& options) {
  Crctl::Words words = {"restore", checkpoint};
  words.insert(words.end(), options.begin(), options.end());
  const Outcome outcome = crctl_(words);
  EXPECT_EQ(outcome.exit, 0) << ::testing::PrintToString(outcome);
  return outcome.Line();
}

void IntegrationTest::ExpectRecordsAreTrue() {
  for (const v1::Checkpoint& checkpoint : api_->Checkpoints()) {
    EXPECT_NE(checkpoint.state(), v1::CHECKPOINT_STATE_CREATING) << checkpoint.ShortDebugString();
    EXPECT_NE(checkpoint.state(), v1::CHECKPOINT_STATE_DELETING) << checkpoint.ShortDebugString();
    if (checkpoint.state() != v1::CHECKPOINT_STATE_READY) continue;
    const auto verified = api_->Verify(checkpoint.id());
    EXPECT_THAT(verified, Worked());
    EXPECT_EQ(verified->damages_size(), 0) << verified->ShortDebugString();
  }
  for (const v1::Container& container : api_->Containers()) {
    EXPECT_EQ(container.state(), v1::CONTAINER_STATE_RUNNING) << container.ShortDebugString();
    EXPECT_NE(StateOf(container.pid()), '-') << container.ShortDebugString();
  }
  EXPECT_TRUE(api_->Operations().empty());
  ExpectDirectoriesMatch();
}

void IntegrationTest::ExpectDirectoriesMatch() {
  std::set<std::string> with_images;
  for (const v1::Checkpoint& checkpoint : api_->Checkpoints()) with_images.insert(checkpoint.id());
  for (const std::string& name : FilesIn(crd_.state() + "/checkpoints")) {
    if (name != ".staging") {
      EXPECT_EQ(with_images.count(name), 1U) << name << " has no row";
    }
  }
  EXPECT_THAT(FilesIn(crd_.state() + "/checkpoints/.staging"), ::testing::IsEmpty());
  std::set<std::string> known;
  for (const v1::Container& container : api_->Containers(/*all=*/true))
    known.insert(container.id());
  for (const std::string& name : FilesIn(crd_.state() + "/containers"))
    EXPECT_EQ(known.count(name), 1U) << "the log of " << name << " has no row";
  for (const std::string& name : crd_.Cgroups()) {
    EXPECT_TRUE(name.starts_with("ct-") && known.count(name.substr(3)) == 1)
        << "cgroup " << name << " has no row";
  }
}

void IntegrationTest::ExpectDatabaseIsSound() {
  sqlite3* database = nullptr;
  ASSERT_EQ(::sqlite3_open_v2((crd_.state() + "/crd.db").c_str(), &database, SQLITE_OPEN_READONLY,
                              nullptr),
            SQLITE_OK);
  std::string answer;
  const auto take = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0];
    return 0;
  };
  ::sqlite3_exec(database, "PRAGMA integrity_check", take, &answer, nullptr);
  ::sqlite3_close(database);
  EXPECT_EQ(answer, "ok");
}

void IntegrationTest::ExpectNothingWasLost(Victim& victim,
                                           const std::vector<std::string>& dump_options) {
  ExpectRecordsAreTrue();
  std::string checkpoint;
  std::int64_t newest = 0;
  for (const v1::Checkpoint& one : api_->Checkpoints()) {
    if (one.pid() != victim.pid() || one.state() != v1::CHECKPOINT_STATE_READY) continue;
    if (one.ready_us() > newest) checkpoint = one.id();
    newest = std::max<std::int64_t>(newest, one.ready_us());
  }
  ASSERT_TRUE(!victim.Gone() || !checkpoint.empty()) << "the program is nowhere";
  if (!victim.Gone()) {
    EXPECT_TRUE(victim.GoesOn());
    checkpoint = Checkpointed(victim, dump_options);
  }
  const auto counts = victim.Counts();
  const bool tcp = std::find(dump_options.begin(), dump_options.end(), "--tcp-established") !=
                   dump_options.end();
  Restored(checkpoint,
           tcp ? std::vector<std::string>{"--tcp-established"} : std::vector<std::string>{});
  EXPECT_TRUE(victim.GoesOnFrom(counts));
  ExpectRecordsAreTrue();
}

std::future<Answer<v1::Checkpoint>> IntegrationTest::Begin(const v1::CheckpointRequest& request) {
  return std::async(std::launch::async,
                    [this, request] { return Api(crd_.socket()).Checkpoint(request); });
}

std::future<Answer<v1::Container>> IntegrationTest::Begin(const v1::RestoreRequest& request) {
  return std::async(std::launch::async,
                    [this, request] { return Api(crd_.socket()).Restore(request); });
}

bool IntegrationTest::IsCriu(pid_t pid) {
  return Slurp("/proc/" + std::to_string(pid) + "/comm") == "criu\n";
}

pid_t IntegrationTest::AwaitCriu(const std::function<bool()>& ended) {
  pid_t criu = -1;
  static_cast<void>(WaitUntil([&] {
    for (const pid_t pid : crd_.CgroupPids()) {
      if (IsCriu(pid)) criu = pid;
    }
    return criu > 0 || ended();
  }));
  return criu;
}

void IntegrationTest::SignalPid(pid_t pid, int signal) {
  if (const auto process = PidFd::Open(pid); process.ok()) {
    static_cast<void>(process->Signal(signal));
  }
}

v1::CheckpointRequest IntegrationTest::CheckpointOf(const Victim& victim) {
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  request.set_network_keeping(v1::NETWORK_KEEPING_RELEASE);
  return request;
}

v1::RestoreRequest IntegrationTest::RestoreOf(const std::string& checkpoint) {
  v1::RestoreRequest request;
  request.set_checkpoint(checkpoint);
  return request;
}

std::vector<std::string> IntegrationTest::FilesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

AssertionResult Refused(const Outcome& outcome, const std::string& text) {
  if (outcome.exit != 1) {
    return AssertionFailure() << "not refused: " << ::testing::PrintToString(outcome);
  }
  if (outcome.err.find(text) == std::string::npos) {
    return AssertionFailure() << "'" << text << "' is not in: " << outcome.err;
  }
  if (outcome.err.find("hint: ") == std::string::npos) {
    return AssertionFailure() << "no hint in: " << outcome.err;
  }
  return AssertionSuccess();
}

}  // namespace crd::testing
