// Cgroups that a container's processes have made within its own.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/ids.h"
#include "daemon/base/proc.h"
#include "daemon/base/unique_fd.h"
#include "tests/integration/support/oci_fixture.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

// What a supervisor does: it moves itself out of the way, and its services into cgroups of theirs.
// cgroup2 gives controllers only from cgroups without processes: first who starts others moves.
constexpr const char* kSuperviseV1 =
    "cd /sys/fs/cgroup; "
    "for c in pids memory freezer; do mkdir -p $c/main $c/app/one $c/app/two $c/empty; "
    "echo $MAIN >$c/main/cgroup.procs; "
    "echo $ONE >$c/app/one/cgroup.procs; echo $TWO >$c/app/two/cgroup.procs; done; "
    "echo 55 >pids/app/pids.max; echo 5 >pids/app/one/pids.max; echo 7 >pids/empty/pids.max; "
    "echo 64M >memory/app/memory.limit_in_bytes; mkdir cpu/app && echo 512 >cpu/app/cpu.shares; "
    "echo $ONE >cpu/app/cgroup.procs";
constexpr const char* kSuperviseV2 =
    "cd /sys/fs/cgroup; mkdir -p main app/one app/two empty; "
    "echo 1 >main/cgroup.procs; echo $$ >main/cgroup.procs; "
    "for p in $(cat cgroup.procs); do echo $p >main/cgroup.procs || true; done; "
    "echo $ONE >app/one/cgroup.procs; echo $TWO >app/two/cgroup.procs; "
    "for c in $(cat cgroup.controllers); do "
    "echo +$c >cgroup.subtree_control; echo +$c >app/cgroup.subtree_control; done; "
    "echo 3 >app/cgroup.max.descendants; "
    "! [ -e app/one/hugetlb.2MB.max ] || echo 4M >app/one/hugetlb.2MB.max";

// They wait for ever, also where a restore has cut a wait short (which ends busybox 1.37's sleep).
constexpr const char* kOne = "/bin/busybox tail -s 7001 -f /dev/null";
constexpr const char* kTwo = "/bin/busybox tail -s 7002 -f /dev/null";

class OciCgroups : public OciFixture {
 protected:
  void TearDown() override {
    if (container_) container_->Runtime({"delete", "--force", other_});
    container_.reset();
    // Its own are in them until here.
    for (const std::string& name : {parent_, other_}) RemoveCgroups(name);
    OciFixture::TearDown();
  }

  static bool IsV2() { return GetParam() == Flavour::kRuncV2; }

  // Two services beside the program that counts, each in cgroups of its own, made from within.
  void RunSupervisor(const OciContainer::Change& change = {}) {
    ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
      std::string& program = config["process"]["args"][2].get_ref<std::string&>();
      program = std::string(kOne) + " & " + kTwo + " & " + program;
      for (auto& mount : config["mounts"]) {
        if (mount["destination"] == "/sys/fs/cgroup") mount["options"] = {"nosuid", "nodev"};
      }
      // Without it cgroup2 shows the host's root.
      if (IsV2()) config["linux"]["namespaces"].push_back({{"type", "cgroup"}});
      if (change) change(config);
    }));
    const auto inner = [&](const std::string& command) {
      return std::to_string(proc::ReadInnermostPid(PidOf(command)).value());
    };
    const std::string pids = "MAIN=1; ONE=" + inner(kOne) + "; TWO=" + inner(kTwo);
    const Outcome made =
        container_->Runtime({"exec", container_->id(), "/bin/sh", "-ec",
                             pids + "; " + (IsV2() ? kSuperviseV2 : kSuperviseV1)});
    ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made);
  }
  pid_t PidOf(const std::string& command) {
    pid_t found = 0;
    EXPECT_TRUE(WaitUntil([&] {
      for (const auto& [pid, line] : Processes()) {
        if (line == command) found = pid;
      }
      return found != 0;
    })) << command;
    return found;
  }
  // Command lines of all that is in the container.
  std::map<pid_t, std::string> Processes() {
    const auto mounts = [](pid_t pid) {
      std::error_code error;
      return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/mnt", error);
    };
    const auto own = mounts(init_ == 0 ? container_->Pid() : init_);
    std::map<pid_t, std::string> found;
    const auto processes = proc::ListProcesses();
    for (const pid_t pid : processes.value()) {
      if (mounts(pid) != own) continue;
      const auto process = proc::ProcDir::Open(pid);
      const auto line =
          process.ok() ? proc::ReadCommandLine(*process) : Result<std::string>(process.error());
      if (line.ok()) found[pid] = *line;
    }
    return found;
  }
  // Everything there is beneath the container's cgroups, with its limits, and where its processes
  // are; `name` is what the cgroups are called.
  std::string Picture(const std::string& name) {
    constexpr const char* kFiles[] = {
        "pids.max",        "memory.limit_in_bytes",  "cpu.shares",
        "hugetlb.2MB.max", "cgroup.max.descendants", "cgroup.subtree_control",
        "freezer.state"};
    std::vector<std::string> lines;
    for (const std::string& directory : CgroupsCalled(name)) {
      for (const auto& one : fs::recursive_directory_iterator(directory)) {
        if (!one.is_directory()) continue;
        std::string line = one.path().string().substr(directory.size());
        for (const char* file : kFiles) {
          line += " " + std::string(file) + "=" + Slurp(one.path().string() + "/" + file);
        }
        struct stat status {};
        EXPECT_EQ(::stat(one.path().c_str(), &status), 0);
        lines.push_back(line + " " + std::to_string(status.st_uid));
      }
    }
    const pid_t init = init_ == 0 ? container_->Pid() : init_;
    for (const auto& [pid, command] : Processes()) {
      // Where it is within the container's.
      std::string cgroups = CgroupsOfProcess(pid);
      for (std::size_t at = 0; (at = cgroups.find(name)) != std::string::npos;) {
        const std::size_t start = cgroups.rfind(':', at) + 1;
        cgroups.erase(start, at + name.size() - start);
      }
      // Not what comes and goes.
      if (pid == init || command == kOne || command == kTwo)
        lines.push_back(command + "\n" + cgroups);
    }
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
  // In all hierarchies, wherever.
  static std::vector<std::string> CgroupsCalled(const std::string& name) {
    std::vector<std::string> found;
    std::error_code error;
    for (fs::recursive_directory_iterator one("/sys/fs/cgroup", error), end; one != end;
         one.increment(error)) {
      if (one->is_directory(error) && one->path().filename() == name) found.push_back(one->path());
    }
    return found;
  }
  static void RemoveCgroups(const std::string& name) {
    for (const std::string& directory : CgroupsCalled(name)) {
      std::vector<std::string> all = {directory};
      for (const auto& one : fs::recursive_directory_iterator(directory)) {
        if (one.is_directory()) all.push_back(one.path());
      }
      for (auto one = all.rbegin(); one != all.rend(); ++one) ::rmdir(one->c_str());
    }
  }
  std::string InnerCgroup(const std::string& within) {
    const auto all = CgroupsCalled(container_->id());
    const auto found = std::find_if(all.begin(), all.end(), [&](const std::string& one) {
      return fs::exists(one + "/" + within) &&
             fs::exists(one + (IsV2() ? "/cgroup.freeze" : "/freezer.state"));
    });
    return found == all.end() ? "" : *found + "/" + within;
  }

  const std::string other_ = "crd-other-" + RandomHex16();
  const std::string parent_ = "crd-parent-" + RandomHex16();
  pid_t init_ = 0;  // 0: ask its runtime
};

// Those that may have cgroups of single threads.
class OciCgroups2 : public OciCgroups {};

TEST_P(OciCgroups, AreThereAgainWithTheirProcessesAndLimits) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  EXPECT_THAT(before, AllOf(HasSubstr("/app/one\n"), HasSubstr("/main\n"), HasSubstr("/empty")));
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_EQ(container_->Status(), "stopped");
  Restored(checkpoint);
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
  // Frozen and thawed as a whole, as its runtime does.
  EXPECT_EQ(container_->Runtime({"pause", container_->id()}).exit, 0);
  EXPECT_EQ(container_->Status(), "paused");
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "is paused"));
  EXPECT_EQ(container_->Runtime({"resume", container_->id()}).exit, 0);
  ThereAndBack();
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
}

// Programs that decide which devices a cgroup2 may use; 0 as well where the kernel has no such.
unsigned DeviceFilters(const std::string& cgroup) {
  const UniqueFd directory(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint32_t ids[64] = {};
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.query.target_fd = static_cast<std::uint32_t>(directory.get());
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = reinterpret_cast<std::uintptr_t>(ids);
  attributes.query.prog_cnt = 64;
  const long asked = ::syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes);
  return asked == 0 ? attributes.query.prog_cnt : 0;
}

// v1 has files for it, cgroup2 a program that ends with its cgroup.
TEST_P(OciCgroups, AllowTheSameDevicesWhenTheyHaveGone) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    config["linux"]["resources"]["devices"].push_back(
        {{"allow", true}, {"type", "c"}, {"major", 4}, {"minor", 1}, {"access", "r"}});
  }));
  const std::string dev = "/proc/" + std::to_string(container_->Pid()) + "/root/dev/";
  ASSERT_EQ(::mknod((dev + "forbidden").c_str(), S_IFCHR | 0666, ::makedev(10, 229)), 0);
  ASSERT_EQ(::mknod((dev + "half").c_str(), S_IFCHR | 0666, ::makedev(4, 1)), 0);
  const auto look = [&] {
    return container_->Runtime({"exec", container_->id(), "/bin/sh", "-c",
                                "(: </dev/null && : >/dev/zero && echo allowed) 2>&1; "
                                "(: </dev/forbidden) 2>&1; (: >/dev/half) 2>&1; true"});
  };
  const Outcome before = look();
  EXPECT_THAT(before.out, HasSubstr("allowed\n"));
  EXPECT_THAT(before.out, AllOf(HasSubstr("forbidden: Operation not permitted"),
                                HasSubstr("half: Operation not permitted")));
  const unsigned filters = DeviceFilters(container_->CgroupDirectory());
  if (IsV2() && filters == 0) GTEST_SKIP() << "this kernel has no device filters for cgroup2";
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  Restored(checkpoint);
  EXPECT_EQ(look().out, before.out);
  EXPECT_EQ(DeviceFilters(container_->CgroupDirectory()), filters);
  // Once more from there, into another cgroup.
  Restored(CheckpointedContainer(), {"--cgroup-parent", "/" + parent_});
  EXPECT_EQ(look().out, before.out);
  EXPECT_EQ(DeviceFilters(container_->CgroupDirectory()), filters);
}

TEST_P(OciCgroups, AreMadeAgainWhereTheyHaveGone) {
  RunSupervisor();
  if (!IsV2()) {
    const std::string owned = InnerCgroup("app/one");
    ASSERT_EQ(::chown(owned.c_str(), 1234, 0), 0);
  }
  const std::string before = Picture(container_->id());
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  EXPECT_THAT(CgroupsCalled(container_->id()), ::testing::IsEmpty());
  Restored(checkpoint);
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, MoveWithTheContainer) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  const std::string checkpoint = CheckpointedContainer();
  const std::string restored =
      Restored(checkpoint, {"--name", other_, "--cgroup-parent", "/" + parent_});
  init_ = static_cast<pid_t>(api_->GetContainer(restored)->pid());
  EXPECT_EQ(Picture(other_), before);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, MoveWithTheirNamespace) {
  RunSupervisor([](nlohmann::json& config) {
    if (!IsV2()) config["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  });
  const std::string before = Picture(container_->id());
  const Crctl::Words look = {"exec", container_->id(), "/bin/sh", "-c",
                             "cat /proc/1/cgroup; ls /sys/fs/cgroup /sys/fs/cgroup/*"};
  const std::string inside = container_->Runtime(look).out;
  Restored(CheckpointedContainer(), {"--cgroup-parent", "/" + parent_});
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_EQ(container_->Runtime(look).out, inside);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, AreThawedWhereTheContainerRunsOn) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  CheckpointedContainer({"--leave-running"});
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
}

TEST_P(OciCgroups, AreThawedAtTheNextStartWhenCrdAndItsCriuDie) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  // What a crd leaves that dies right after it has frozen the container: not what its init is in.
  ASSERT_NO_FATAL_FAILURE(DieWhileCheckpointing([&] {
    const std::string above = fs::path(InnerCgroup("main")).parent_path();
    WriteControl(above + (IsV2() ? "/cgroup.freeze" : "/freezer.state"), IsV2() ? "1" : "FROZEN");
  }));
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_EQ(Picture(container_->id()), before);
}

TEST_P(OciCgroups, AreRemovedAgainWhenTheRestoreFails) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  const std::string checkpoint = CheckpointedContainer();
  const std::string program = container_->bundle() + "/rootfs/bin/busybox";
  fs::rename(program, dir_ / "busybox");
  Spill(program, "another");
  EXPECT_TRUE(
      Refused(crctl_({"restore", checkpoint, "--name", other_, "--cgroup-parent", "/" + parent_}),
              "bin/busybox"));
  EXPECT_THAT(CgroupsCalled(other_), ::testing::IsEmpty());
  EXPECT_THAT(CgroupsCalled(parent_), ::testing::IsEmpty());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "bin/busybox"));
  fs::remove(program);
  fs::rename(dir_ / "busybox", program);
  Restored(checkpoint);
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, MustBeEmptyBeforeARestore) {
  RunSupervisor();
  const std::string checkpoint = CheckpointedContainer();
  const std::string inner = InnerCgroup("empty");
  const Process somebody(reaper_, {.argv = {"sleep", "600"}});
  WriteControl(inner + "/cgroup.procs", std::to_string(somebody.pid()));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), std::to_string(somebody.pid())));
  EXPECT_TRUE(somebody.Runs());
  WriteControl(CgroupsCalled(container_->id()).front() + "/../cgroup.procs",
               std::to_string(somebody.pid()));
}

TEST_P(OciCgroups2, MustBeEmptyOfThreadsToo) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  const std::string above = CgroupsCalled(container_->id()).front();
  const std::string threads = above + "/threads";
  ASSERT_TRUE(fs::create_directory(threads));
  WriteControl(threads + "/cgroup.type", "threaded");
  {
    const Process somebody(reaper_, {.argv = {"sleep", "600"}});
    WriteControl(above + "/cgroup.procs", std::to_string(somebody.pid()));
    WriteControl(threads + "/cgroup.threads", std::to_string(somebody.pid()));
    EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), std::to_string(somebody.pid())));
    EXPECT_TRUE(somebody.Runs());
  }
  EXPECT_TRUE(WaitUntil([&] { return Slurp(threads + "/cgroup.threads").empty(); }));
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, AreRefusedWhileOneIsFrozen) {
  RunSupervisor();
  const std::string inner = InnerCgroup("app/one");
  const std::string file = inner + (IsV2() ? "/cgroup.freeze" : "/freezer.state");
  WriteControl(file, IsV2() ? "1" : "FROZEN");
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "/app/one"));
  WriteControl(file, IsV2() ? "0" : "THAWED");
  EXPECT_TRUE(container_->Counts());
  Restored(CheckpointedContainer());
}

// Of v1 a unit test tells.
TEST_P(OciCgroups2, AreRefusedWithSingleThreadsInThem) {
  ASSERT_TRUE(container_->Run());
  const std::string threads = container_->CgroupDirectory() + "/threads";
  ASSERT_TRUE(fs::create_directory(threads));
  WriteControl(threads + "/cgroup.type", "threaded");
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "single threads"));
  ASSERT_EQ(::rmdir(threads.c_str()), 0);
  EXPECT_TRUE(container_->Counts());
  Restored(CheckpointedContainer());
}

// Who describes a container himself need not know its state; but only that tells that the cgroup
// which its init is in is not all that it has.
TEST_P(OciCgroups, AreRefusedWhereNobodyTellsWhichAreTheContainers) {
  RunSupervisor();
  const std::string before = Picture(container_->id());
  v1::CheckpointRequest request = DescribedCheckpoint();
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("NESTED_CGROUPS"));
  request.mutable_description()->set_state_path(StatePath());
  const auto made = api_->Checkpoint(request);
  ASSERT_TRUE(made.ok()) << made.error.message();
  Restored(made->id());
  EXPECT_EQ(Picture(container_->id()), before);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciCgroups, OfExecedProcessesAreFound) {
  RunSupervisor();
  ASSERT_EQ(container_->Runtime({"exec", "--detach", container_->id(), "/bin/sleep", "997"}).exit,
            0);
  WriteControl(InnerCgroup("empty") + "/cgroup.procs", std::to_string(PidOf("/bin/sleep 997")));
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "/bin/sleep 997"));
  Restored(CheckpointedContainer({"--kill-exec"}));
  EXPECT_TRUE(container_->Counts());
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciCgroups, EveryRuntime(), NameOfRuntime);
INSTANTIATE_TEST_SUITE_P(Runtimes, OciCgroups2, ::testing::Values(Flavour::kRuncV2), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
