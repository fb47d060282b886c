#include "daemon/runtime/nested_cgroups.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "daemon/runtime/saved_cgroups.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::TempDir;
namespace fs = std::filesystem;

// Plain directories that look like cgroups.
class NestedCgroups : public ::testing::Test {
 protected:
  NestedCgroups() { Make(""); }

  void Make(const std::string& path, const std::string& procs = "") {
    fs::create_directories(place_.directory + path);
    Write(path + "/cgroup.procs", procs);
  }
  void Write(const std::string& path, const std::string& text) {
    std::ofstream(place_.directory + path) << text;
  }

  TempDir dir_;
  CgroupPlace place_{.controllers = "pids", .path = "/web", .directory = dir_ / "web", .own = true};
};

TEST_F(NestedCgroups, AreReadWithTheirLimitsAndProcesses) {
  Make("/app");
  Make("/app/one", std::to_string(::getpid()) + "\n");
  Write("/app/one/pids.max", "5\n");
  ASSERT_TRUE(ReadNested("web", place_).ok());
  ASSERT_EQ(place_.nested.size(), 2U);
  EXPECT_EQ(place_.nested[0].path, "/app");
  EXPECT_EQ(place_.nested[1].path, "/app/one");
  EXPECT_THAT(place_.nested[1].limits, ElementsAre(std::pair("pids.max", "5")));
  EXPECT_EQ(place_.nested[1].pids.size(), 1U);
  ASSERT_OK_AND_ASSIGN(const CgroupPlace again, CgroupPlaceFromJson(ToJson(place_)));
  EXPECT_EQ(again, place_);
}

TEST_F(NestedCgroups, AreRefusedWithThreadsOfOneProcessInTwo) {
  const std::string self = std::to_string(::getpid()) + "\n";
  Make("/app", self);
  Make("/app/one", self);
  std::promise<void> end;
  std::thread thread([&] { end.get_future().wait(); });
  const auto refused = ReadNested("web", place_);
  end.set_value();
  thread.join();
  // With one thread it was moved while it was looked for.
  EXPECT_TRUE(ReadNested("web", place_).ok());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "NESTED_CGROUPS");
  EXPECT_THAT(refused.error().message, HasSubstr("/app/one"));
}

TEST_F(NestedCgroups, AreRefusedFrozen) {
  Make("/app");
  Write("/app/freezer.self_freezing", "1\n");
  const auto refused = ReadNested("web", place_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "NESTED_CGROUPS");
}

TEST_F(NestedCgroups, AreNotBelievedToLeadOutOfTheContainers) {
  Make("/app");
  ASSERT_TRUE(ReadNested("web", place_).ok());
  for (const std::string& bad :
       {std::string("/app/../../other"), std::string("app"), std::string()}) {
    place_.nested[0].path = bad;
    EXPECT_THAT(CgroupPlaceFromJson(ToJson(place_)), FailsWith(Code::kDataLoss)) << bad;
  }
  place_.nested[0] = {.path = "/app", .owned = {"../cgroup.procs"}};
  EXPECT_THAT(CgroupPlaceFromJson(ToJson(place_)), FailsWith(Code::kDataLoss));
}

TEST_F(NestedCgroups, ProcessesElsewhereAreFound) {
  const pid_t self = ::getpid();
  auto places = CgroupsOf(self, {});
  ASSERT_TRUE(places.ok());
  for (CgroupPlace& place : *places) place.own = true;
  EXPECT_FALSE(FindOutsider(*places, {self}));
  bool in_a_root = true;
  for (CgroupPlace& place : *places) {
    in_a_root = in_a_root && place.path == "/";
    place.path += "/within";
  }
  const auto outsider = FindOutsider(*places, {self});
  if (in_a_root) GTEST_SKIP() << "this process is in no cgroup but the roots";
  ASSERT_TRUE(outsider);
  EXPECT_EQ(outsider->pid, self);
}

}  // namespace
}  // namespace crd::runtime
