#include "daemon/runtime/retarget.h"

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::Refuses;
using testing::TempDir;

std::string Recorded(const char* name) {
  auto text = ReadFile(std::string(DATA_DIRECTORY "/") + name);
  return text.ok() ? *text : "";
}

class RetargetTest : public ::testing::Test {
 protected:
  RetargetTest() {
    container_ = {.kind = Kind::kRunc,
                  .state_path = "/run/runc/web/state.json",
                  .id = "web",
                  .bundle = "/srv/web",
                  .rootfs = "/srv/web/rootfs"};
    container_.mounts = {{.mountpoint = "/"},
                         {.mountpoint = "/proc"},
                         {.mountpoint = "/data", .key = "/data", .source = "/srv/data"},
                         {.mountpoint = "/logs", .key = "/logs", .source = "/srv/web/logs"},
                         {.mountpoint = "/proc/keys", .key = "/dev/null", .source = "/dev/null"}};
    container_.cgroups = {{.controllers = "pids",
                           .path = "/web",
                           .directory = "/sys/fs/cgroup/pids/web",
                           .own = true},
                          {.controllers = "memory",
                           .path = "/slice/session/web",
                           .directory = "/sys/fs/cgroup/memory/slice/session/web",
                           .own = true},
                          {.controllers = "", .path = "/", .directory = "/sys/fs/cgroup/unified"}};
    container_.state_files = {{"state.json", Recorded("runc-1.1.5-state.json")}};
  }
  // A bundle whose root is "root" and that mounts `source` on /data.
  std::string NewBundle(const std::string& source) {
    std::string bundle = directory_ / "bundle";
    std::filesystem::create_directories(bundle);
    std::ofstream(bundle + "/config.json") << nlohmann::json{
        {"root", {{"path", "root"}}},
        {"mounts", {{{"destination", "/data/"}, {"type", "bind"}, {"source", source}}}}};
    return bundle;
  }

  TempDir directory_;
  SavedContainer container_;
};

TEST_F(RetargetTest, LeavesAContainerAsItWas) {
  ASSERT_OK_AND_ASSIGN(SavedContainer same, Retarget(container_, {}));
  EXPECT_EQ(nlohmann::json::parse(same.state_files["state.json"]),
            nlohmann::json::parse(container_.state_files["state.json"]));
  same.state_files = container_.state_files;
  EXPECT_EQ(same, container_);
}

TEST_F(RetargetTest, GivesANewNameToStateAndCgroups) {
  ASSERT_OK_AND_ASSIGN(SavedContainer other, Retarget(container_, {.id = "web2"}));
  EXPECT_EQ(other.state_path, "/run/runc/web2/state.json");
  EXPECT_EQ(other.cgroups[0].directory, "/sys/fs/cgroup/pids/web2");
  EXPECT_EQ(other.cgroups[1].path, "/slice/session/web2");
  EXPECT_EQ(other.cgroups[2], container_.cgroups[2]);
  const auto state = nlohmann::json::parse(other.state_files["state.json"]);
  EXPECT_EQ(state["id"], "web2");
  EXPECT_EQ(state["cgroup_paths"]["pids"], "/sys/fs/cgroup/pids/web2");
  EXPECT_EQ(state["cgroup_paths"]["memory"], "/sys/fs/cgroup/memory/slice/session/web2");
  // Of what crd does not know to be the container's own.
  EXPECT_EQ(state["cgroup_paths"]["cpu"], "/sys/fs/cgroup/cpu/web");
}

TEST_F(RetargetTest, PutsCgroupsBeneathAnother) {
  ASSERT_OK_AND_ASSIGN(const SavedContainer other,
                       Retarget(container_, {.cgroup_parent = "/a/../b/"}));
  EXPECT_EQ(other.cgroups[0].directory, "/sys/fs/cgroup/pids/b/web");
  EXPECT_EQ(other.cgroups[1].directory, "/sys/fs/cgroup/memory/b/web");
  EXPECT_EQ(other.cgroups[2], container_.cgroups[2]);
}

TEST_F(RetargetTest, TakesRootAndSourcesOfAnotherBundle) {
  const std::string bundle = NewBundle("relative");
  ASSERT_OK_AND_ASSIGN(SavedContainer other, Retarget(container_, {.bundle = bundle}));
  EXPECT_EQ(other.bundle, bundle);
  EXPECT_EQ(other.rootfs, bundle + "/root");
  EXPECT_EQ(other.mounts[2].source, bundle + "/relative");
  EXPECT_EQ(other.mounts[3].source, bundle + "/logs");
  EXPECT_EQ(other.mounts[4].source, "/dev/null");
  const auto state = nlohmann::json::parse(other.state_files["state.json"]);
  EXPECT_EQ(state["config"]["rootfs"], bundle + "/root");
  EXPECT_EQ(state["config"]["labels"][0], "bundle=" + bundle);
}

TEST_F(RetargetTest, KeepsWhoIsWho) {
  container_.users = {.users = {{0, 100000, 10}}, .groups = {{0, 100000, 10}}};
  EXPECT_THAT(Retarget(container_, {.bundle = NewBundle("/srv")}), Refuses("ID_MAPPINGS_DIFFER"));
  EXPECT_THAT(Retarget(container_, {.id = "other"}), testing::IsOk());
}

TEST_F(RetargetTest, MovesCruns) {
  container_.kind = Kind::kCrun;
  container_.state_path = "/run/crun/web/status";
  container_.state_files = {{"status", Recorded("crun-1.8.1-status.json")}, {"config.json", "{}"}};
  const std::string bundle = NewBundle("/other");
  ASSERT_OK_AND_ASSIGN(SavedContainer other, Retarget(container_, {.id = "x", .bundle = bundle}));
  EXPECT_EQ(other.state_path, "/run/crun/x/status");
  const auto status = nlohmann::json::parse(other.state_files["status"]);
  EXPECT_EQ(status["cgroup-path"], "/x");
  EXPECT_EQ(status["bundle"], bundle);
  EXPECT_THAT(other.state_files["config.json"], ::testing::HasSubstr("/other"));
}

TEST_F(RetargetTest, TakesAnotherSourceForAMountOfTheHosts) {
  ASSERT_OK_AND_ASSIGN(const SavedContainer other,
                       Retarget(container_, {.mounts = {{"/data/", "/mnt"}}}));
  EXPECT_EQ(other.mounts[2].source, "/mnt");
  for (const char* none : {"/", "/proc", "/proc/keys", "/nowhere"}) {
    const auto refused = Retarget(container_, {.mounts = {{none, "/mnt"}}});
    EXPECT_THAT(refused, Refuses("MOUNT_UNKNOWN")) << none;
    EXPECT_THAT(refused.error().hint, ::testing::HasSubstr("/data, /logs"));
  }
}

class RetargetScopeTest : public RetargetTest {
 protected:
  RetargetScopeTest() {
    State()["config"]["cgroups"] = {
        {"Systemd", true}, {"name", "web"}, {"scope_prefix", "runc"}, {"parent", "system.slice"}};
    Keep();
    Place("/system.slice/runc-web.scope");
  }
  nlohmann::json& State() {
    if (state_.is_null()) state_ = nlohmann::json::parse(container_.state_files["state.json"]);
    return state_;
  }
  void Keep() { container_.state_files["state.json"] = state_.dump(); }
  void Place(const std::string& path) {
    container_.cgroups = {
        {.controllers = "", .path = path, .directory = "/sys/fs/cgroup" + path, .own = true}};
  }
  static nlohmann::json CgroupsIn(const SavedContainer& container) {
    return nlohmann::json::parse(container.state_files.at("state.json"))["config"]["cgroups"];
  }

  nlohmann::json state_;
};

TEST_F(RetargetScopeTest, MovesScopesOfSystemdsIntoOtherSlices) {
  ASSERT_OK_AND_ASSIGN(const SavedContainer other,
                       Retarget(container_, {.id = "web2", .cgroup_parent = "/a-b.slice"}));
  EXPECT_EQ(other.cgroups[0].directory, "/sys/fs/cgroup/a.slice/a-b.slice/runc-web2.scope");
  const nlohmann::json cgroups = CgroupsIn(other);
  EXPECT_EQ(cgroups["name"], "web2");
  EXPECT_EQ(cgroups["scope_prefix"], "runc");
  EXPECT_EQ(cgroups["parent"], "a-b.slice");
}

TEST_F(RetargetScopeTest, NamesTheScopeAsRuncCan) {
  Place("/system.slice/web.scope");
  ASSERT_OK_AND_ASSIGN(const SavedContainer other, Retarget(container_, {.id = "db-2"}));
  EXPECT_EQ(other.cgroups[0].path, "/system.slice/db-2.scope");
  EXPECT_EQ(CgroupsIn(other)["scope_prefix"], "db");
  EXPECT_EQ(CgroupsIn(other)["name"], "2");
  EXPECT_THAT(Retarget(container_, {.id = "db"}), Refuses("CGROUP_MANAGED"));
}

TEST_F(RetargetScopeTest, RefusesWhatIsNoScopeInASlice) {
  EXPECT_THAT(Retarget(container_, {.cgroup_parent = "/machine"}), Refuses("CGROUP_MANAGED"));
  Place("/system.slice/runc-other.scope");
  EXPECT_THAT(Retarget(container_, {.id = "web2"}), Refuses("CGROUP_MANAGED"));
  Place("/web");
  EXPECT_THAT(Retarget(container_, {.id = "web2"}), Refuses("CGROUP_MANAGED"));
}

TEST_F(RetargetScopeTest, LeavesWhatStaysAsItIs) {
  State()["config"]["cgroups"]["name"] = "called-otherwise";
  Keep();
  ASSERT_OK_AND_ASSIGN(const SavedContainer same, Retarget(container_, {}));
  EXPECT_EQ(same.cgroups, container_.cgroups);
  EXPECT_EQ(CgroupsIn(same)["name"], "called-otherwise");
}

TEST_F(RetargetTest, RefusesABundleThatIsNone) {
  EXPECT_THAT(Retarget(container_, {.bundle = directory_ / "none"}), Refuses("BUNDLE_UNREADABLE"));
}

}  // namespace
}  // namespace crd::runtime
