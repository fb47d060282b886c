#include "daemon/runtime/runtime_state.h"

#include <nlohmann/json.hpp>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"

namespace crd::runtime {
namespace {

using testing::FailsWith;

// As these versions wrote them: Debian 12's are runc 1.1.5 and crun 1.8.1, Debian 13's 1.1.15
// and 1.21.
std::string Recorded(const char* name) {
  auto text = ReadFile(std::string(DATA_DIRECTORY "/") + name);
  return text.ok() ? *text : "";
}
std::string RuncState() { return Recorded("runc-1.1.5-state.json"); }
std::string CrunStatus() { return Recorded("crun-1.8.1-status.json"); }

TEST(RuntimeState, ReadsRunc) {
  ASSERT_OK_AND_ASSIGN(const RuntimeState state, ParseState(Kind::kRunc, "web", RuncState()));
  EXPECT_EQ(state.id, "web");
  EXPECT_EQ(state.pid, 29248);
  EXPECT_EQ(state.start_time, 1253060U);
  EXPECT_EQ(state.bundle, "/srv/web");
  EXPECT_EQ(state.created, "2026-11-21T12:58:39.351023608Z");
}

TEST(RuntimeState, ReadsCrun) {
  ASSERT_OK_AND_ASSIGN(const RuntimeState state, ParseState(Kind::kCrun, "web", CrunStatus()));
  EXPECT_EQ(state.id, "web");
  EXPECT_EQ(state.pid, 14030);
  EXPECT_EQ(state.start_time, 1279118U);
  EXPECT_EQ(state.bundle, "/srv/web");
}

TEST(RuntimeState, ReadsDebian13s) {
  ASSERT_OK_AND_ASSIGN(const RuntimeState runc,
                       ParseState(Kind::kRunc, "web", Recorded("runc-1.1.15-state.json")));
  EXPECT_EQ(runc.pid, 5326);
  EXPECT_EQ(runc.bundle, "/srv/web");
  ASSERT_OK_AND_ASSIGN(const RuntimeState crun,
                       ParseState(Kind::kCrun, "web", Recorded("crun-1.21-status.json")));
  EXPECT_EQ(crun.pid, 5344);
  EXPECT_EQ(crun.bundle, "/srv/web");
}

TEST(RuntimeState, RefusesTheStateOfTheOther) {
  EXPECT_THAT(ParseState(Kind::kCrun, "web", RuncState()), FailsWith(Code::kDataLoss));
  EXPECT_THAT(ParseState(Kind::kRunc, "web", CrunStatus()), FailsWith(Code::kDataLoss));
}

TEST(RuntimeState, RefusesVersionsThatItDoesNotKnow) {
  auto newer = nlohmann::json::parse(RuncState());
  newer["config"]["version"] = "2.0.0";
  EXPECT_THAT(ParseState(Kind::kRunc, "web", newer.dump()), FailsWith(Code::kUnimplemented));
  newer = nlohmann::json::parse(RuncState());
  newer["init_process_pidfd"] = 7;
  EXPECT_THAT(ParseState(Kind::kRunc, "web", newer.dump()), FailsWith(Code::kUnimplemented));
  newer = nlohmann::json::parse(CrunStatus());
  newer["pidfd-inode"] = 7;
  EXPECT_THAT(ParseState(Kind::kCrun, "web", newer.dump()), FailsWith(Code::kUnimplemented));
}

TEST(RuntimeState, RefusesAnotherContainersState) {
  EXPECT_THAT(ParseState(Kind::kRunc, "db", RuncState()), FailsWith(Code::kDataLoss));
}

TEST(RuntimeState, RefusesPidsThatAreNone) {
  for (const char* pid : {"-1", "4294967296", "\"7\"", "1.5"}) {
    const std::string text =
        std::string(R"({"process-start-time":1,"bundle":"/b","pid":)") + pid + "}";
    EXPECT_THAT(ParseState(Kind::kCrun, "web", text), FailsWith(Code::kDataLoss)) << pid;
  }
}

TEST(RuntimeState, RefusesARelativeBundle) {
  EXPECT_THAT(ParseState(Kind::kCrun, "web", R"({"pid":1,"bundle":"../etc"})"),
              FailsWith(Code::kDataLoss));
}

TEST(RuntimeState, PutsAnotherProcessIntoRuncsAndKeepsTheRest) {
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       WithProcess(Kind::kRunc, RuncState(), {.pid = 77, .start_time = 4242}));
  auto before = nlohmann::json::parse(RuncState());
  auto after = nlohmann::json::parse(text);
  EXPECT_EQ(after["init_process_pid"], 77);
  EXPECT_EQ(after["init_process_start"], 4242);
  EXPECT_EQ(after["namespace_paths"]["NEWNET"], "/proc/77/ns/net");
  for (const char* changed : {"init_process_pid", "init_process_start", "namespace_paths"}) {
    before.erase(changed);
    after.erase(changed);
  }
  EXPECT_EQ(before, after);
}

TEST(RuntimeState, LeavesJoinedNamespacesAsTheyAre) {
  const std::string text = R"({"init_process_pid":1,"namespace_paths":{"NEWNET":"/run/netns/a"}})";
  ASSERT_OK_AND_ASSIGN(const std::string changed,
                       WithProcess(Kind::kRunc, text, {.pid = 77, .start_time = 1}));
  EXPECT_EQ(nlohmann::json::parse(changed)["namespace_paths"]["NEWNET"], "/run/netns/a");
}

TEST(RuntimeState, PutsAnotherProcessIntoCrunsAndKeepsTheRest) {
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       WithProcess(Kind::kCrun, CrunStatus(), {.pid = 77, .start_time = 4242}));
  auto before = nlohmann::json::parse(CrunStatus());
  auto after = nlohmann::json::parse(text);
  EXPECT_EQ(after["pid"], 77);
  EXPECT_EQ(after["process-start-time"], 4242);
  for (const char* changed : {"pid", "process-start-time"}) {
    before.erase(changed);
    after.erase(changed);
  }
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace crd::runtime
