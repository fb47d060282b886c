#include "daemon/runtime/find.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "daemon/base/proc.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::IsOk;
using testing::Refuses;
using testing::TempDir;

// State directories as crun writes them, of containers whose init is this very process.
class FindTest : public ::testing::Test {
 protected:
  FindTest() {
    const auto self = proc::ProcDir::Open(::getpid());
    const auto stat = proc::ReadStat(*self);
    start_time_ = stat->start_time;
  }

  void Write(const std::string& root, const std::string& id, const std::string& file,
             const std::string& text) {
    std::filesystem::create_directories(directory_ / root + "/" + id);
    std::ofstream(directory_ / root + "/" + id + "/" + file) << text;
  }
  void AddCrun(const std::string& root, const std::string& id, std::uint64_t start_time) {
    Write(root, id, "status",
          fmt::format(R"({{"pid":{},"process-start-time":{},"bundle":"/b/{}"}})", ::getpid(),
                      start_time, id));
  }
  void AddRunc(const std::string& root, const std::string& id) {
    Write(root, id, "state.json",
          fmt::format(R"({{"id":"{}","init_process_pid":{},"init_process_start":{},
                          "config":{{"version":"1.0.2","labels":["bundle=/b/{}"]}}}})",
                      id, ::getpid(), start_time_, id));
  }
  [[nodiscard]] std::vector<std::string> Roots() const {
    return {directory_ / "runc", directory_ / "crun", directory_ / "nowhere"};
  }

  TempDir directory_;
  std::uint64_t start_time_ = 0;
};

TEST_F(FindTest, ListsTheContainersOfAllRoots) {
  AddRunc("runc", "web");
  AddCrun("crun", "db", start_time_);
  std::filesystem::create_directories(directory_ / "crun/half-made");
  const Found found = List(Roots());
  EXPECT_TRUE(found.problems.empty());
  ASSERT_EQ(found.containers.size(), 2U);
  EXPECT_EQ(found.containers[0].state.id, "web");
  EXPECT_EQ(found.containers[0].state.kind, Kind::kRunc);
  EXPECT_EQ(found.containers[0].state.path, directory_ / "runc/web/state.json");
  EXPECT_EQ(found.containers[1].state.kind, Kind::kCrun);
  EXPECT_EQ(found.containers[1].status, Status::kRunning);
}

TEST_F(FindTest, TakesAnotherProcessWithThePidForStopped) {
  AddCrun("crun", "db", start_time_ + 1);
  EXPECT_EQ(List(Roots()).containers.at(0).status, Status::kStopped);
  EXPECT_FALSE(FindByPid(Roots(), ::getpid()).has_value());
}

TEST_F(FindTest, SeesThatItWasNotStarted) {
  AddCrun("crun", "db", start_time_);
  Write("crun", "db", "exec.fifo", "");
  EXPECT_EQ(List(Roots()).containers.at(0).status, Status::kCreated);
}

TEST_F(FindTest, TellsWhichStatesItCannotRead) {
  Write("runc", "web", "state.json", "{ half");
  const Found found = List(Roots());
  EXPECT_TRUE(found.containers.empty());
  ASSERT_EQ(found.problems.size(), 1U);
  EXPECT_EQ(found.problems[0].reason, "RUNTIME_STATE_UNREADABLE");
  EXPECT_THAT(found.problems[0].message, ::testing::HasSubstr(directory_ / "runc/web/state.json"));
}

TEST_F(FindTest, FindsByIdAndByUniquePrefix) {
  AddRunc("runc", "web");
  AddRunc("runc", "web-2");
  AddCrun("crun", "db-1", start_time_);
  ASSERT_OK_AND_ASSIGN(const auto whole, Find(Roots(), {.key = "web"}));
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->state.id, "web");
  ASSERT_OK_AND_ASSIGN(const auto prefix, Find(Roots(), {.key = "d"}));
  ASSERT_TRUE(prefix.has_value());
  EXPECT_EQ(prefix->state.id, "db-1");
  EXPECT_THAT(Find(Roots(), {.key = "we"}), Refuses("RUNTIME_AMBIGUOUS"));
  ASSERT_OK_AND_ASSIGN(const auto none, Find(Roots(), {.key = "mail"}));
  EXPECT_FALSE(none.has_value());
}

TEST_F(FindTest, AsksWhichWhenTwoRuntimesKnowTheId) {
  AddRunc("runc", "web");
  AddCrun("crun", "web", start_time_);
  EXPECT_THAT(Find(Roots(), {.key = "web"}), Refuses("RUNTIME_AMBIGUOUS"));
  ASSERT_OK_AND_ASSIGN(const auto found, Find(Roots(), {.key = "web", .kind = Kind::kCrun}));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state.kind, Kind::kCrun);
}

TEST_F(FindTest, AnUnreadableStateIsInTheWayOfItsOwnIdOnly) {
  Write("runc", "web", "state.json", "{}");
  AddRunc("runc", "web-2");
  EXPECT_THAT(Find(Roots(), {.key = "web"}), Refuses("RUNTIME_STATE_UNREADABLE"));
  EXPECT_THAT(Find(Roots(), {.key = "web-"}), IsOk());
}

TEST_F(FindTest, FindsByTheInitsPid) {
  AddRunc("runc", "web");
  const auto found = FindByPid(Roots(), ::getpid());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state.id, "web");
  EXPECT_FALSE(FindByPid(Roots(), 1).has_value());
}

}  // namespace
}  // namespace crd::runtime
