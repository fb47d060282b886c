// What a container has inside: who it is, what it may, what it has open.
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tests/integration/support/oci_fixture.h"
#include "tests/integration/support/pty.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kCounts =
    "i=0; while :; do i=$((i+1)); echo $i >/data/count.new; mv /data/count.new /data/count; "
    "echo $i; sleep 0.1; done";

class OciInside : public OciFixture {
 protected:
  // Lines of /proc/PID/status or limits that begin so.
  std::vector<std::string> Lines(const char* file, const std::vector<std::string>& beginnings) {
    std::vector<std::string> lines;
    std::istringstream text(Slurp("/proc/" + std::to_string(container_->Pid()) + "/" + file));
    for (std::string line; std::getline(text, line);) {
      for (const std::string& beginning : beginnings) {
        if (line.starts_with(beginning)) lines.push_back(line);
      }
    }
    return lines;
  }
  [[nodiscard]] std::string Inside(const std::string& path) {
    return "/proc/" + std::to_string(container_->Pid()) + "/root" + path;
  }
};

TEST_P(OciInside, StaysWhoItIs) {
  fs::permissions(container_->data(), fs::perms::all);
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    auto& process = config["process"];
    process["user"] = {{"uid", 1234}, {"gid", 2345}, {"additionalGids", {7, 8}}};
    const nlohmann::json few = {"CAP_NET_BIND_SERVICE", "CAP_KILL"};
    process["capabilities"] = {{"bounding", few},
                               {"effective", few},
                               {"permitted", few},
                               {"inheritable", few},
                               {"ambient", few}};
    process["noNewPrivileges"] = true;
    process["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 100}, {"hard", 200}},
                          {{"type", "RLIMIT_FSIZE"}, {"soft", 1 << 20}, {"hard", 1 << 21}}};
    process["oomScoreAdj"] = 17;
  }));
  const auto status = [&] {
    return Lines("status", {"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Umask:"});
  };
  const auto limits = [&] { return Lines("limits", {"Max open files", "Max file size"}); };
  const auto oom = [&] {
    return Slurp("/proc/" + std::to_string(container_->Pid()) + "/oom_score_adj");
  };
  const auto status_before = status();
  const auto limits_before = limits();
  const auto oom_before = oom();
  rlimit limit{};
  if (::prlimit(container_->Pid(), RLIMIT_CORE, nullptr, &limit) != 0) {
    // What CRIU cannot do here, it is not asked for.
    EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "CAP_SYS_RESOURCE"));
    EXPECT_TRUE(container_->Counts());
    return;
  }
  ASSERT_EQ(status_before.size(), 10U);
  EXPECT_THAT(status_before.front(), HasSubstr("1234"));
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(status(), status_before);
  EXPECT_EQ(limits(), limits_before);
  EXPECT_EQ(oom(), oom_before);
}

TEST_P(OciInside, KeepsItsDevicesAndWhatItHasOpenOfThem) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    config["linux"]["devices"] = {{{"path", "/dev/mine"},
                                   {"type", "c"},
                                   {"major", 1},
                                   {"minor", 5},
                                   {"fileMode", 0640},
                                   {"uid", 3},
                                   {"gid", 0}}};
    config["linux"]["resources"]["devices"].push_back(
        {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 5}, {"access", "rw"}});
    config["process"]["args"] = {"/bin/sh", "-c",
                                 std::string("exec 5</dev/mine 6>/dev/null; ") + kCounts};
  }));
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  struct stat status {};
  ASSERT_EQ(::stat(Inside("/dev/mine").c_str(), &status), 0);
  EXPECT_EQ(status.st_rdev, makedev(1, 5));
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  EXPECT_EQ(status.st_uid, 3U);
  const std::string fds = "/proc/" + std::to_string(container_->Pid()) + "/fd/";
  EXPECT_EQ(fs::read_symlink(fds + "5").string(), "/dev/mine");
  EXPECT_EQ(fs::read_symlink(fds + "6").string(), "/dev/null");
  const Outcome read = container_->Runtime(
      {"exec", container_->id(), "/bin/sh", "-c", "read -n 1 x </dev/mine; echo read $?"});
  EXPECT_THAT(read.out, HasSubstr("read")) << ::testing::PrintToString(read);
}

TEST_P(OciInside, KeepsSeveralThreads) {
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    for (const char* directory : {"/lib", "/lib64", "/usr/lib"}) {
      if (!fs::exists(directory)) continue;
      fs::create_directories(container_->bundle() + "/rootfs" + directory);
      config["mounts"].push_back({{"destination", directory},
                                  {"type", "bind"},
                                  {"source", fs::canonical(directory)},
                                  {"options", {"rbind", "ro"}}});
    }
    // A bind mount of a single file.
    Spill(container_->bundle() + "/rootfs/bin/victim", "");
    config["mounts"].push_back({{"destination", "/bin/victim"},
                                {"type", "bind"},
                                {"source", VICTIM_BINARY},
                                {"options", {"bind", "ro"}}});
    config["process"]["args"] = {"/bin/sh", "-c",
                                 std::string("/bin/victim threads /data/page 5 & ") + kCounts};
  }));
  const std::string page = container_->data() + "/page";
  const auto goes_on = [&] {
    const std::string before = Slurp(page);
    return WaitUntil([&] { return Slurp(page) != before; });
  };
  const auto threads = [&] {
    std::vector<std::string> lines;
    std::istringstream children(Slurp("/proc/" + std::to_string(container_->Pid()) + "/task/" +
                                      std::to_string(container_->Pid()) + "/children"));
    for (pid_t child = 0; children >> child;) {
      const std::string status = Slurp("/proc/" + std::to_string(child) + "/status");
      if (status.find("victim") != std::string::npos) {
        lines.push_back(status.substr(status.find("Threads:"), 11));
      }
    }
    return lines;
  };
  ASSERT_TRUE(goes_on());
  const auto before = threads();
  ASSERT_EQ(before.size(), 1U);
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_TRUE(goes_on());
  EXPECT_EQ(threads(), before);
}

TEST_P(OciInside, SeesTheSameFileThroughABindMountOfIt) {
  const std::string file = dir_ / "note";
  Spill(file, "one");
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    Spill(container_->bundle() + "/rootfs/note", "");
    config["mounts"].push_back({{"destination", "/note"},
                                {"type", "bind"},
                                {"source", file},
                                {"options", {"bind", "ro"}}});
    config["process"]["args"] = {"/bin/sh", "-c", std::string("exec 7</note; ") + kCounts};
  }));
  const std::string checkpoint = CheckpointedContainer();
  Spill(file, "two");
  // A file that it has open must be as it was: CRIU compares its size.
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Runtime({"exec", container_->id(), "/bin/cat", "/note"}).out, "two");
  EXPECT_TRUE(fs::equivalent(Inside("/note"), file));
}

TEST_P(OciInside, PrintsToALogWhereItsPipeWas) {
  Pipe pipe;
  ASSERT_TRUE(container_->RunInto(pipe.in.ref()));
  pipe.in.reset();
  ASSERT_THAT(ReadUntil(pipe.out.ref(), "2\n"), HasSubstr("2\n"));
  const std::string checkpoint = CheckpointedContainer();
  pipe.out.reset();
  const std::string log = dir_ / "log";
  Restored(checkpoint, {"--log", log});
  EXPECT_TRUE(container_->Counts());
  EXPECT_TRUE(WaitUntil([&] { return fs::exists(log) && fs::file_size(log) > 0; }));
}

TEST_P(OciInside, RefusesAMountpointThatBecameALinkOutOfTheRoot) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  const std::string mountpoint = container_->bundle() + "/rootfs/data";
  const std::string outside = dir_ / "outside";
  fs::create_directory(outside);
  const auto mounts = Mounts();
  for (const std::string& target :
       {outside, std::string("../../../../../../../../tmp"), std::string("/proc/self/root/tmp")}) {
    fs::remove(mountpoint);
    fs::create_directory_symlink(target, mountpoint);
    EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "/data"));
  }
  EXPECT_TRUE(fs::is_empty(outside));
  EXPECT_EQ(Mounts(), mounts);
  EXPECT_EQ(container_->Status(), "stopped");
  fs::remove(mountpoint);
  fs::create_directory(mountpoint);
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciInside, RefusesAContainerInTheContainer) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    const std::vector<std::string> may = {"CAP_SYS_ADMIN"};
    config["process"]["capabilities"] = {{"bounding", may}, {"effective", may}, {"permitted", may}};
    config["process"]["args"] = {
        "/bin/sh", "-c",
        std::string("/bin/busybox unshare --pid --fork /bin/sleep 1000 & ") + kCounts};
  }));
  // The inner one takes a moment to be there.
  ASSERT_TRUE(WaitUntil([&] { return crctl_(With({"check", container_->id()})).exit == 1; }));
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})),
                      "in another pid namespace than the root of the tree"));
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciInside, RefusesAnIdThatTwoRuntimesKnow) {
  ASSERT_TRUE(container_->Run());
  const std::string other = "/run/crun/" + container_->id();
  const bool had_root = fs::exists("/run/crun");
  fs::create_directories(other);
  Spill(other + "/status",
        R"({"pid":1,"process-start-time":1,"bundle":"/b","created":"2026-01-01T00:00:00Z"})");
  const Outcome refused = crctl_(With({"checkpoint", container_->id()}));
  fs::remove_all(other);
  // Unless it is another test's by now.
  std::error_code in_use;
  if (!had_root) fs::remove("/run/crun", in_use);
  EXPECT_TRUE(Refused(refused, "fits more than one container"));
  EXPECT_THAT(refused.err, HasSubstr(container_->root()));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciInside, RefusesAStateOfAVersionThatIsNotKnown) {
  ASSERT_TRUE(container_->Run());
  const std::string file = container_->root() + "/" + container_->id() + "/" +
                           (GetParam() == Flavour::kCrun ? "status" : "state.json");
  const std::string good = Slurp(file);
  auto state = nlohmann::json::parse(good);
  state["from_the_future"] = 1;
  Spill(file, state.dump());
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "from_the_future"));
  Spill(file, good);
  const std::string checkpoint = CheckpointedContainer();
  auto stopped = nlohmann::json::parse(Slurp(file));
  stopped["from_the_future"] = 1;
  Spill(file, stopped.dump());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "from_the_future"));
  EXPECT_EQ(Slurp(file), stopped.dump());
  Spill(file, good);
  Restored(checkpoint);
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciInside, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
