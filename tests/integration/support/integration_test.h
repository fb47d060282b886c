#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/support/api.h"
#include "tests/integration/support/child_reaper.h"
#include "tests/integration/support/crctl.h"
#include "tests/integration/support/crd_daemon.h"
#include "tests/integration/support/victim.h"
#include "tests/integration/support/wait_until.h"
#include "tests/support/temp_dir.h"

namespace crd::testing {

// A network namespace of the test's own with loopback up: ports and CRIU's network locks of tests
// that run at once are not in each other's way, and what is left behind is seen. Make it before
// there are threads.
class OwnNetwork {
 public:
  OwnNetwork();
  [[nodiscard]] bool made() const { return made_; }
  // Tables of nftables that are there: CRIU's locks.
  [[nodiscard]] static std::vector<std::string> Tables(ChildReaper& reaper);

 private:
  bool made_ = false;
};

// A crd of the test's own that runs, crctl and the API to ask it, and a check at the end that
// nothing is left: no process, no cgroup, no network lock, no half-made checkpoint.
class IntegrationTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // What a test may replace before it starts crd itself.
  virtual CrdDaemon::Options DaemonOptions() { return {}; }
  [[nodiscard]] bool StartCrd();
  // SIGTERM, and its exit status. The test's own connection is closed before: gRPC's client answers
  // a goodbye only while it is called, and the server would wait for it.
  ExitStatus StopCrd();
  // Kills it and starts it again on the same state.
  [[nodiscard]] bool RestartAfterKill9();
  [[nodiscard]] bool Restart();

  // A victim that lives until the end of the test, for fixtures.
  Victim& NewVictim(const std::string& mode, const Victim::Options& options);

  // Runs `crctl checkpoint --pid PID OPTIONS`, expects that it works and that the tree is gone
  // afterwards, and gives the id.
  std::string Checkpointed(Victim& victim, const std::vector<std::string>& options = {});
  // Runs `crctl restore CHECKPOINT OPTIONS`, expects that it works, and gives the container's id.
  std::string Restored(const std::string& checkpoint, const std::vector<std::string>& options = {});
  // As sentences about records and host that hold whenever nothing is going on.
  void ExpectRecordsAreTrue();
  // (a) and (e): the program either runs untouched or is in a checkpoint that restores; in both
  // cases a checkpoint and a restore of it work afterwards.
  void ExpectNothingWasLost(Victim& victim, const std::vector<std::string>& dump_options = {});

  // The same call on a connection and a thread of its own.
  std::future<Answer<v1::Checkpoint>> Begin(const v1::CheckpointRequest& request);
  std::future<Answer<v1::Container>> Begin(const v1::RestoreRequest& request);

  static bool IsCriu(pid_t pid);
  // The pid of a CRIU that this crd runs now; -1 if there was none until `ended`.
  pid_t AwaitCriu(const std::function<bool()>& ended);
  template <typename T>
  static bool Ready(const std::future<T>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static void SignalPid(pid_t pid, int signal);

  // A request for a checkpoint by pid.
  static v1::CheckpointRequest CheckpointOf(const Victim& victim);
  static v1::RestoreRequest RestoreOf(const std::string& checkpoint);
  [[nodiscard]] std::string ImagesOf(const std::string& checkpoint) const {
    return crd_.state() + "/checkpoints/" + checkpoint + "/images";
  }
  // Names of files in a directory, sorted.
  static std::vector<std::string> FilesIn(const std::string& directory);

  // Mounts in this test's directory, and on /tmp: others come and go beside it.
  [[nodiscard]] std::vector<std::string> Mounts() const;

  // Of checkpoints by Checkpointed(): namespaces that end with their trees, by default.
  std::string network_mode_ = "release";
  OwnNetwork network_;
  ChildReaper reaper_;
  TempDir dir_;
  CrdDaemon crd_{reaper_, dir_.path()};
  Crctl crctl_{reaper_, crd_.socket()};
  std::unique_ptr<Api> api_;

 private:
  std::vector<std::unique_ptr<Victim>> victims_;
  void ExpectDirectoriesMatch();
  void ExpectDatabaseIsSound();
};

// A refusal of crctl: exit status 1, a sentence that contains `text`, and a hint.
::testing::AssertionResult Refused(const Outcome& outcome, const std::string& text);

MATCHER_P(FailsBecause, reason, "fails because of this reason") {
  return !arg.ok() && arg.error.reason() == reason;
}
MATCHER(Worked, "worked") { return arg.ok(); }

}  // namespace crd::testing
