#include "daemon/runtime/engine.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = place_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  testing::TempDir place_;
};

TEST_F(EngineTest, ReadsPodmansListOfContainers) {
  const RuntimeState state{.path = "/run/runc/abc/state.json",
                           .id = "abc",
                           .bundle = place_ / "overlay-containers/abc/userdata"};
  const Bundle bundle{.engine = "podman"};
  EXPECT_EQ(FindEngine(state, bundle).name, "");
  Write("overlay-containers/containers.json",
        R"([{"id":"other","names":["db"]},{"id":"abc","names":["web","web2"]}])");
  EXPECT_EQ(FindEngine(state, bundle).engine, "podman");
  EXPECT_EQ(FindEngine(state, bundle).name, "web");
  Write("overlay-containers/containers.json", "[{");
  EXPECT_EQ(FindEngine(state, bundle).name, "");
}

TEST_F(EngineTest, ReadsDockersConfigurationWhereverItIs) {
  const RuntimeState state{.path = "/srv/exec/runtime-runc/moby/abc/state.json", .id = "abc"};
  const Bundle bundle{.mounts = {{.destination = "/etc/hostname",
                                  .source = place_ / "containers/abc/hostname",
                                  .bind = true}}};
  Write("containers/abc/config.v2.json", R"({"ID":"abc","Name":"/web"})");
  EXPECT_EQ(FindEngine(state, bundle).engine, "docker");
  EXPECT_EQ(FindEngine(state, bundle).name, "web");
}

TEST_F(EngineTest, LeavesToItsRuntimeWhatIsNobodyElses) {
  const RuntimeState state{.path = "/run/runc/abc/state.json", .id = "abc", .bundle = "/srv/abc"};
  const EngineContainer found = FindEngine(state, Bundle{});
  EXPECT_EQ(found.engine, "");
  EXPECT_EQ(found.name, "");
}

}  // namespace
}  // namespace crd::runtime
