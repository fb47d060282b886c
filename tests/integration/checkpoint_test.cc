// What a checkpoint answers and records, and what is refused by name before anything is touched.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Checkpoint : public IntegrationTest {
 protected:
  // Refused by that reason, saying `text`, with a hint; by `check` too; and nothing has changed.
  void ExpectRefused(Victim& victim, const std::string& reason, const std::string& text,
                     const std::vector<std::string>& options = {}) {
    ASSERT_TRUE(victim.Started());
    const auto answer = api_->Checkpoint(CheckpointOf(victim));
    if (options.empty()) {
      EXPECT_THAT(answer, FailsBecause(reason));
    }
    Crctl::Words words = {"checkpoint", "--pid", victim.PidText()};
    words.insert(words.end(), options.begin(), options.end());
    EXPECT_TRUE(Refused(crctl_(words), text));
    words.front() = "check";
    const Outcome check = crctl_(words);
    EXPECT_EQ(check.exit, 1);
    EXPECT_THAT(check.out, HasSubstr(text));
    EXPECT_TRUE(victim.GoesOn());
    EXPECT_THAT(api_->Checkpoints(/*all=*/true), IsEmpty());
    EXPECT_THAT(api_->Containers(/*all=*/true), IsEmpty());
  }
};

std::string LineOfMounts(const std::string& kind) {
  std::ifstream mounts("/proc/self/mounts");
  std::string all;
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" " + kind + " ") != std::string::npos) all += line + "\n";
  }
  return all;
}

TEST_F(Checkpoint, IsListedWithEverythingThatIsKnownOfIt) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"8"}});
  ASSERT_TRUE(victim.Started());
  const std::string id = Checkpointed(victim, {"--name", "first"});
  const auto listed = api_->Checkpoints();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed.front().id(), id);
  const auto checkpoint = api_->GetCheckpoint("first");
  ASSERT_THAT(checkpoint, Worked());
  EXPECT_EQ(checkpoint->id(), id);
  EXPECT_EQ(checkpoint->state(), v1::CHECKPOINT_STATE_READY);
  EXPECT_EQ(checkpoint->pid(), victim.pid());
  EXPECT_EQ(checkpoint->processes(), 1U);
  EXPECT_THAT(checkpoint->command(), HasSubstr("memory"));
  EXPECT_THAT(checkpoint->size_bytes(), Gt(8U << 20U));
  EXPECT_THAT(checkpoint->statistics().frozen_us(), Gt(0U));
  EXPECT_THAT(checkpoint->statistics().pages_written(), Gt(2000U));
  EXPECT_THAT(checkpoint->stages_size(), Gt(3));
  EXPECT_THAT(checkpoint->criu_version(), Not(IsEmpty()));
  EXPECT_THAT(checkpoint->kernel_release(), Not(IsEmpty()));
  EXPECT_THAT(checkpoint->host(), Not(IsEmpty()));
  EXPECT_THAT(checkpoint->problem(), IsEmpty());
  EXPECT_GE(checkpoint->ready_us(), checkpoint->created_us());
  EXPECT_EQ(checkpoint->directory() + "/images", ImagesOf(id));
}

TEST_F(Checkpoint, CanBeMadeOfARestoredContainerByItsName) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim), {"--name", "again"});
  ASSERT_TRUE(victim.GoesOn());
  const Outcome second = crctl_({"checkpoint", "again"});
  ASSERT_EQ(second.exit, 0) << ::testing::PrintToString(second);
  EXPECT_TRUE(victim.Gone());
  const auto container = api_->GetContainer("again");
  EXPECT_EQ(container->state(), v1::CONTAINER_STATE_CHECKPOINTED);
  EXPECT_EQ(container->last_checkpoint_id(), second.Line());
  const auto counts = victim.Counts();
  Restored(second.Line());
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(Checkpoint, CanBeMadeOverAndOverOfATreeThatRunsOn) {
  Victim victim(reaper_, dir_.path(), "tree", {.arguments = {"5"}});
  ASSERT_TRUE(victim.Started());
  for (int i = 0; i < 3; ++i) Checkpointed(victim, {"--leave-running"});
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_EQ(api_->Checkpoints().size(), 3U);
  EXPECT_EQ(api_->Containers().size(), 1U);
}

TEST_F(Checkpoint, LetsNobodyElseReadTheImages) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  const Outcome open = RunProgram(reaper_, {"find", crd_.state(), "-perm", "/077"});
  EXPECT_EQ(open.out, "");
}

TEST_F(Checkpoint, LeavesTheHostsCgroupMountsAsTheyAre) {
  const std::string before = LineOfMounts("cgroup2") + LineOfMounts("cgroup");
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  EXPECT_EQ(LineOfMounts("cgroup2") + LineOfMounts("cgroup"), before);
}

TEST_F(Checkpoint, RemovedIsGoneFromDiskAndList) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string id = Checkpointed(victim);
  EXPECT_EQ(crctl_({"rm", id}).Line(), id);
  EXPECT_THAT(api_->GetCheckpoint(id), FailsBecause("CHECKPOINT_NOT_FOUND"));
  EXPECT_THAT(FilesIn(ImagesOf(id)), IsEmpty());
}

TEST_F(Checkpoint, RemovedTakesItsNamesForDeletedFilesAlong) {
  std::filesystem::create_directory(dir_ / "files");
  Victim victim(reaper_, dir_ / "files", "link-remap");
  ASSERT_TRUE(victim.Started());
  const auto before = FilesIn(dir_ / "files");
  const std::string id = Checkpointed(victim, {"--link-remap"});
  EXPECT_NE(FilesIn(dir_ / "files"), before);
  EXPECT_EQ(crctl_({"rm", id}).exit, 0);
  EXPECT_EQ(FilesIn(dir_ / "files"), before);
}

TEST_F(Checkpoint, OfADifferentOneMayTakeTheNameOfARemovedOne) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  EXPECT_EQ(crctl_({"rm", Checkpointed(victim, {"--name", "n", "--leave-running"})}).exit, 0);
  EXPECT_EQ(api_->GetCheckpoint("n").error.reason(), "CHECKPOINT_NOT_FOUND");
  const std::string second = Checkpointed(victim, {"--name", "n"});
  EXPECT_EQ(api_->GetCheckpoint("n")->id(), second);
}

// What leads outside ------------------------------------------------------------------------------

TEST_F(Checkpoint, NamesThePipeThatLeadsOutsideTheTree) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  Victim victim(reaper_, dir_.path(), "pipe-holder",
                {.arguments = {"3"}, .inherited = {out.get()}});
  ExpectRefused(victim, "PIPE_OUTSIDE", "descriptor 3 is pipe:[");
}

struct UnixServer {
  UnixServer(const std::string& path, int type) : socket(::socket(AF_UNIX, type, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (type == SOCK_STREAM) ::listen(socket.get(), 4);
  }
  UniqueFd socket;
};

TEST_F(Checkpoint, NamesTheServerOutsideTheTreeThatItIsConnectedTo) {
  const UnixServer server(dir_ / "server", SOCK_STREAM);
  Victim victim(reaper_, dir_.path(), "unix-client", {.arguments = {dir_ / "server"}});
  ASSERT_TRUE(victim.Started());
  const UniqueFd accepted(::accept4(server.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ExpectRefused(victim, "UNIX_PEER_OUTSIDE", "outside the tree");
}

TEST_F(Checkpoint, TakesADatagramSocketToTheOutsideAlongWhenAsked) {
  const UnixServer server(dir_ / "server", SOCK_DGRAM);
  Victim victim(reaper_, dir_.path(), "unix-client", {.arguments = {dir_ / "server", "dgram"}});
  ExpectRefused(victim, "NEEDS_EXT_UNIX_SK", "--ext-unix-sk");
  const std::string id = Checkpointed(victim, {"--ext-unix-sk"});
  const auto counts = victim.Counts();
  Restored(id);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

// What needs an option ----------------------------------------------------------------------------

TEST_F(Checkpoint, NamesTheOptionThatFileLocksNeed) {
  Victim victim(reaper_, dir_.path(), "locks");
  ExpectRefused(victim, "NEEDS_FILE_LOCKS", "--file-locks");
}

TEST_F(Checkpoint, NamesTheOptionThatALinkedDeletedFileNeeds) {
  Victim victim(reaper_, dir_.path(), "link-remap");
  ExpectRefused(victim, "NEEDS_LINK_REMAP", "--link-remap");
}

TEST_F(Checkpoint, NamesTheLimitThatALargeDeletedFileNeeds) {
  Victim victim(reaper_, dir_.path(), "ghost", {.arguments = {"3072"}});
  ExpectRefused(victim, "GHOST_TOO_LARGE", "--ghost-limit");
}

TEST_F(Checkpoint, NamesTheOptionThatOpenConnectionsNeed) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ExpectRefused(victim, "NEEDS_TCP_ESTABLISHED", "--tcp-established");
}

TEST_F(Checkpoint, NamesTheConnectionsThatWaitToBeAccepted) {
  Victim victim(reaper_, dir_.path(), "backlog");
  ASSERT_TRUE(victim.Started());
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(victim.Value(0)));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ExpectRefused(victim, "NEEDS_TCP_SKIP_IN_FLIGHT", "--tcp-skip-in-flight");
  const std::string id = Checkpointed(victim, {"--tcp-established", "--tcp-skip-in-flight"});
  Restored(id, {"--tcp-established"});
  EXPECT_TRUE(victim.GoesOn());
}

// What CRIU cannot dump ---------------------------------------------------------------------------

TEST_F(Checkpoint, NamesTheIoUring) {
  Victim victim(reaper_, dir_.path(), "io-uring");
  ExpectRefused(victim, "IO_URING", "io_uring");
}

TEST_F(Checkpoint, NamesTheTracer) {
  Victim victim(reaper_, dir_.path(), "traced");
  ExpectRefused(victim, "TRACED", "is traced by");
}

TEST_F(Checkpoint, NamesThePacketCapture) {
  Victim victim(reaper_, dir_.path(), "socket");
  ExpectRefused(victim, "UNSUPPORTED_SOCKET", "AF_XDP (packet capture)");
}

TEST_F(Checkpoint, NamesTheDevice) {
  Victim victim(reaper_, dir_.path(), "opens", {.arguments = {"/dev/fuse"}});
  ExpectRefused(victim, "DEVICE_OPEN", "/dev/fuse");
}

TEST_F(Checkpoint, NamesTheSharedMemoryOfTheHost) {
  Victim victim(reaper_, dir_.path(), "sysv-memory");
  ExpectRefused(victim, "SYSV_MEMORY", "System V shared memory");
}

TEST_F(Checkpoint, NamesEverythingThatIsInTheWayAtOnce) {
  Victim victim(reaper_, dir_.path(), "locks");
  ASSERT_TRUE(victim.Started());
  v1::CheckRequest request;
  request.set_pid(victim.pid());
  const auto check = api_->Check(request);
  ASSERT_THAT(check, Worked());
  EXPECT_EQ(check->obstacles_size(), 2) << check->ShortDebugString();  // flock and posix
  for (const v1::Obstacle& obstacle : check->obstacles()) {
    EXPECT_EQ(obstacle.reason(), "NEEDS_FILE_LOCKS");
    EXPECT_EQ(obstacle.pid(), victim.pid());
    EXPECT_THAT(obstacle.hint(), Not(IsEmpty()));
  }
  request.mutable_options()->set_file_locks(true);
  EXPECT_EQ(api_->Check(request)->obstacles_size(), 0);
}

}  // namespace
}  // namespace crd::testing
