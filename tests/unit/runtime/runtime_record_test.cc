#include "daemon/runtime/runtime_record.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::IsOk;
using testing::Refuses;
using testing::TempDir;

class RuntimeRecordTest : public ::testing::Test {
 protected:
  RuntimeRecordTest() {
    std::filesystem::create_directories(directory_ / "web");
    container_ = {.kind = Kind::kCrun, .state_path = directory_ / "web/status", .id = "web"};
  }
  void Write(pid_t pid, std::uint64_t start_time) {
    std::ofstream(container_.state_path) << fmt::format(
        R"({{"pid":{},"process-start-time":{},"bundle":"/b","owner":"root"}})", pid, start_time);
  }
  [[nodiscard]] std::string Content() const {
    const auto text = ReadFile(container_.state_path);
    return text.ok() ? *text : "";
  }

  TempDir directory_;
  SavedContainer container_;
};

TEST_F(RuntimeRecordTest, NamesAnotherProcessAndTakesItBack) {
  Write(1, 999999999999);  // no process began then
  const std::string before = Content();
  ASSERT_OK_AND_ASSIGN(RuntimeRecord record, RuntimeRecord::Open(container_));
  ASSERT_THAT(record.Name({.pid = 77, .start_time = 4242}), IsOk());
  EXPECT_THAT(Content(), ::testing::HasSubstr("4242"));
  EXPECT_THAT(Content(), ::testing::HasSubstr("\"owner\""));
  record.Undo();
  EXPECT_EQ(Content(), before);
}

TEST_F(RuntimeRecordTest, UndoesOnlyWhatItWrote) {
  Write(0, 0);
  ASSERT_OK_AND_ASSIGN(RuntimeRecord record, RuntimeRecord::Open(container_));
  Write(0, 5);
  const std::string of_the_runtime = Content();
  record.Undo();
  EXPECT_EQ(Content(), of_the_runtime);
}

TEST_F(RuntimeRecordTest, RefusesOneThatRuns) {
  const auto self = proc::ProcDir::Open(::getpid());
  Write(::getpid(), proc::ReadStat(*self)->start_time);
  EXPECT_THAT(RuntimeRecord::Open(container_), Refuses("CONTAINER_STILL_RUNS"));
}

TEST_F(RuntimeRecordTest, RefusesOneThatTheRuntimeForgot) {
  EXPECT_THAT(RuntimeRecord::Open(container_), Refuses("RUNTIME_FORGOT_CONTAINER"));
  std::filesystem::remove_all(directory_ / "web");
  EXPECT_THAT(RuntimeRecord::Open(container_), Refuses("RUNTIME_FORGOT_CONTAINER"));
}

TEST_F(RuntimeRecordTest, MakesAnewWhatTheRuntimeForgot) {
  std::filesystem::remove_all(directory_ / "web");
  container_.state_files = {{"status", R"({"pid":5,"process-start-time":6,"bundle":"/b"})"},
                            {"config.json", "{}"}};
  ASSERT_OK_AND_ASSIGN(RuntimeRecord record, RuntimeRecord::Open(container_));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "web"));
  ASSERT_THAT(record.Name({.pid = 77, .start_time = 4242}), IsOk());
  EXPECT_THAT(Content(), ::testing::HasSubstr("4242"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "web/config.json"));
  record.Undo();
  EXPECT_FALSE(std::filesystem::exists(directory_ / "web"));
}

TEST_F(RuntimeRecordTest, RefusesANewNameThatIsTaken) {
  Write(1, 999999999999);
  EXPECT_THAT(RuntimeRecord::Open(container_, RuntimeRecord::Use::kNewName),
              Refuses("RUNTIME_NAME_TAKEN"));
}

TEST_F(RuntimeRecordTest, PutsWhatHasMovedInTheOldPlace) {
  Write(1, 999999999999);
  const std::string before = Content();
  container_.state_files = {{"status", R"({"pid":5,"process-start-time":6,"bundle":"/moved"})"}};
  ASSERT_OK_AND_ASSIGN(RuntimeRecord record,
                       RuntimeRecord::Open(container_, RuntimeRecord::Use::kMoved));
  ASSERT_THAT(record.Name({.pid = 77, .start_time = 4242}), IsOk());
  EXPECT_THAT(Content(), ::testing::HasSubstr("/moved"));
  record.Undo();
  EXPECT_EQ(Content(), before);
}

TEST_F(RuntimeRecordTest, KeepsNothingWhereThereIsNoState) {
  container_.state_path = "";
  ASSERT_OK_AND_ASSIGN(RuntimeRecord record, RuntimeRecord::Open(container_));
  EXPECT_THAT(record.Name({.pid = 77, .start_time = 4242}), IsOk());
  record.Undo();
}

TEST_F(RuntimeRecordTest, RefusesAStateThatItDoesNotUnderstand) {
  std::ofstream(container_.state_path) << "{}";
  EXPECT_THAT(RuntimeRecord::Open(container_), Refuses("RUNTIME_STATE_UNREADABLE"));
}

}  // namespace
}  // namespace crd::runtime
