// Trees of every kind go through a checkpoint and a restore, and go on.
#include <string>
#include <vector>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

struct Kind {
  std::string name;  // of the test; the victim's mode with letters only
  std::string mode;
  std::vector<std::string> arguments = {};
  std::vector<std::string> options = {};  // for the checkpoint
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

const Kind kKinds[] = {
    {.name = "Counter", .mode = "counter"},
    {.name = "Threads", .mode = "threads", .arguments = {"8"}},
    {.name = "Memory", .mode = "memory", .arguments = {"32"}},
    {.name = "SharedMemory", .mode = "shared-memory"},
    {.name = "SysvMemoryInItsOwnNamespace", .mode = "sysv-memory", .arguments = {"own"}},
    {.name = "Pipes", .mode = "pipes"},
    {.name = "UnixSockets", .mode = "unix-sockets"},
    {.name = "DeletedFile", .mode = "ghost"},
    {.name = "LargeDeletedFile",
     .mode = "ghost",
     .arguments = {"3072"},
     .options = {"--ghost-limit", "4M"}},
    {.name = "DeletedNameOfALinkedFile", .mode = "link-remap", .options = {"--link-remap"}},
    {.name = "FileLocks", .mode = "locks", .options = {"--file-locks"}},
    {.name = "Events", .mode = "events"},
    {.name = "PeriodicTimer", .mode = "periodic-timer"},
    {.name = "ListeningSocket", .mode = "listener"},
    {.name = "TwentyProcesses", .mode = "tree", .arguments = {"20"}},
    {.name = "SessionsAndGroups", .mode = "sessions"},
    {.name = "ForkingAllTheTime", .mode = "forker"},
    {.name = "PacketSocketWithARing", .mode = "packet-ring"},
    {.name = "OutputToAFile", .mode = "writer"}};

class Trees : public IntegrationTest, public ::testing::WithParamInterface<Kind> {
 protected:
  Victim& victim_ = NewVictim(GetParam().mode, {.arguments = GetParam().arguments});
};

TEST_P(Trees, GoOnAfterARestoreAndAfterAnotherOne) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_, GetParam().options);
  const auto counts = victim_.Counts();
  for (int round = 0; round < 2; ++round) {
    const std::string container = Restored(checkpoint);
    EXPECT_TRUE(victim_.GoesOnFrom(counts));
    const auto record = api_->GetContainer(container);
    EXPECT_EQ(record->pid(), victim_.pid());
    EXPECT_EQ(record->parent_checkpoint_id(), checkpoint);
    EXPECT_EQ(ParentOf(victim_.pid()), crd_.pid());
    victim_.Kill();
    EXPECT_THAT(api_->Wait(container), Worked());
  }
}

TEST_P(Trees, RunOnWhenAsked) {
  ASSERT_TRUE(victim_.Started());
  std::vector<std::string> options = GetParam().options;
  options.emplace_back("--leave-running");
  const std::string checkpoint = Checkpointed(victim_, options);
  EXPECT_TRUE(victim_.GoesOn());
  const auto containers = api_->Containers();
  ASSERT_EQ(containers.size(), 1U);
  EXPECT_EQ(containers.front().pid(), victim_.pid());
  EXPECT_EQ(containers.front().last_checkpoint_id(), checkpoint);
  victim_.Kill();
  EXPECT_TRUE(WaitUntil([&] { return api_->Containers().empty(); }));
  Restored(checkpoint);
  EXPECT_TRUE(victim_.GoesOn());
}

INSTANTIATE_TEST_SUITE_P(All, Trees, ::testing::ValuesIn(kKinds),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace crd::testing
