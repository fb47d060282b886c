#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cgroup.h"
#include "daemon/base/files.h"
#include "daemon/core/engine.h"
#include "tests/fakes/fake_criu.h"
#include "tests/fakes/fake_ports.h"
#include "tests/support/temp_dir.h"

namespace crd::testing {

// A cgroup2 directory of the test's own, gone with everything in it at the end.
class TestCgroup {
 public:
  // Fails where this process may not make cgroups.
  static Result<std::unique_ptr<TestCgroup>> Create() {
    const std::string parent = TRY(CgroupOf(0));
    auto cgroup = TRY(Cgroup::Create(parent, "crd-test-" + RandomHex16()));
    return std::unique_ptr<TestCgroup>(new TestCgroup(std::move(cgroup)));
  }
  TestCgroup(const TestCgroup&) = delete;
  TestCgroup& operator=(const TestCgroup&) = delete;
  ~TestCgroup() {
    static_cast<void>(cgroup_.Kill());
    const Deadline patience = SteadyClock::now() + std::chrono::seconds(10);
    static_cast<void>(cgroup_.WaitEmpty(patience));
    if (const auto names = ListDirectory(cgroup_.directory()); names.ok()) {
      // Its own files are no directories and stay.
      for (const std::string& name : *names) {
        ::unlinkat(cgroup_.directory().get(), name.c_str(), AT_REMOVEDIR);
      }
    }
    static_cast<void>(cgroup_.Remove());
  }
  [[nodiscard]] const std::string& path() const { return cgroup_.path(); }

 private:
  explicit TestCgroup(Cgroup cgroup) : cgroup_(std::move(cgroup)) {}
  Cgroup cgroup_;
};

// An Engine with everything that it needs: a temporary state directory, a real store, real
// processes, and a FakeCriu.
class EngineWorld {
 public:
  static Result<std::unique_ptr<EngineWorld>> Create() {
    // What whoever started the tests left open would be the victims' too, and in the way of a dump.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    auto world = std::unique_ptr<EngineWorld>(new EngineWorld());
    world->cgroup_ = TRY(TestCgroup::Create());
    TRY(MakeDirectories(world->directory_ / "containers"));
    world->inventory_ =
        TRY(Inventory::Open(TRY(store::Store::Open(world->directory_ / "crd.db")), world->clock_));
    world->images_ = TRY(ImageStore::Open(world->directory_.path()));
    world->networks_ = std::make_unique<Networks>(*world->inventory_, world->clock_);
    world->pins_ = std::make_unique<NetnsPins>(world->directory_.path());
    world->reservations_ = std::make_unique<Reservations>(
        *world->inventory_, *world->networks_, *world->pins_, world->watcher_, world->clock_);
    world->containers_ = std::make_unique<Containers>(
        *world->inventory_, world->children_, world->watcher_, world->keeper_, world->clock_);
    world->engine_ =
        std::make_unique<Engine>(EngineParts{.inventory = *world->inventory_,
                                             .images = *world->images_,
                                             .containers = *world->containers_,
                                             .networks = *world->networks_,
                                             .reservations = *world->reservations_,
                                             .pins = *world->pins_,
                                             .children = world->children_,
                                             .criu = world->criu_,
                                             .clock = world->clock_,
                                             .state_directory = world->directory_.path(),
                                             .cgroup_base = world->cgroup_->path(),
                                             .kernel_release = "6.0-test",
                                             .host = "testhost",
                                             .boot_id = TRY(ReadBootId()),
                                             .workers = 2});
    return world;
  }
  EngineWorld(const EngineWorld&) = delete;
  EngineWorld& operator=(const EngineWorld&) = delete;
  ~EngineWorld() {
    if (engine_ != nullptr) engine_->Drain(SteadyClock::now());
    watcher_.Stop();
  }

  Engine& engine() { return *engine_; }
  FakeCriu& criu() { return criu_; }
  Inventory& inventory() { return *inventory_; }
  Children& children() { return children_; }
  FakeFdKeeper& keeper() { return keeper_; }
  [[nodiscard]] const TempDir& directory() const { return directory_; }

  // A process that can be checkpointed: it leads a session and sleeps until it is killed. `out` is
  // its standard output.
  Result<Child> StartVictim(FdRef out = FdRef(-1)) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    return children_.Launch(
        {.argv = {"/bin/sleep", "3600"},
         .descriptors = {{null.ref(), 0}, {out.valid() ? out : null.ref(), 1}, {null.ref(), 2}},
         .new_session = true});
  }

 private:
  EngineWorld() = default;

  TempDir directory_;
  SystemClock clock_;
  Children children_;
  FakeFdKeeper keeper_;
  ThreadExitWatcher watcher_;
  std::unique_ptr<TestCgroup> cgroup_;
  FakeCriu criu_{children_};
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<Networks> networks_;
  std::unique_ptr<NetnsPins> pins_;
  std::unique_ptr<Reservations> reservations_;
  std::unique_ptr<Containers> containers_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace crd::testing
