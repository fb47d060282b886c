#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/children.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd::testing {

// Steps of a FakeCriu at which a test can step in.
enum class CriuStep {
  kDumpBegins,       // nothing has been touched
  kImagesHalf,       // frozen, some images are written
  kImagesComplete,   // frozen, before the observer hears of kPostDump
  kDumpCommitted,    // the observer agreed, the tree has been killed or goes on
  kRestoreBegins,    // nothing exists
  kTasksMade,        // the root exists and is stopped, before the observer hears of kPostRestore
  kRestoreAccepted,  // the observer agreed, the root is still stopped
};

// CRIU without the kernel's part of it: stops and kills real trees, writes images that crd can
// read, and "restores" a program of the test's choice as a real child. Stages, vetoes, deadlines
// and cancellations are as in the real one. Thread-safe.
class FakeCriu final : public criu::Criu {
 public:
  // What a test may want to know of a restore that was asked for.
  struct SeenRestore {
    bool tcp_established = false;
    bool tcp_close = false;
    // Keys, and the inode of what takes their place.
    std::vector<std::pair<std::string, ino_t>> inherit;
  };

  explicit FakeCriu(Children& children);
  FakeCriu(const FakeCriu&) = delete;
  FakeCriu& operator=(const FakeCriu&) = delete;
  // Kills and reaps everything that it restored. No call may be under way.
  ~FakeCriu() override;

  Result<criu::DumpReport> Dump(const criu::DumpRequest& request,
                                const criu::DumpObserver& observer,
                                const CancelToken& cancel) override;
  Result<criu::RestoreReport> Restore(const criu::RestoreRequest& request,
                                      const criu::RestoreObserver& observer,
                                      const CancelToken& cancel) override;
  [[nodiscard]] const std::string& path() const override { return path_; }
  [[nodiscard]] const criu::Version& version() const override { return version_; }
  [[nodiscard]] const std::string& problem() const override { return problem_; }

  // Before the first call ---------------------------------------------------------------------
  void set_problem(std::string problem) { problem_ = std::move(problem); }
  void set_pages_bytes(std::size_t bytes) { pages_bytes_ = bytes; }
  // What runs in a restored tree, argv[0] absolute; by default it sleeps until it is killed.
  void set_restored_program(std::vector<std::string> argv) { program_ = std::move(argv); }

  // Any time ----------------------------------------------------------------------------------
  void FailAt(CriuStep step, Error error);
  // Hangs there until Release(), or until it is cancelled or out of time.
  void HangAt(CriuStep step);
  // Lets what hangs at `step` go on, and what comes there from now on pass.
  void Release(CriuStep step);
  // Waits until some call has come to `step`; false after 10 s.
  bool AwaitStep(CriuStep step);
  [[nodiscard]] std::vector<SeenRestore> restores() const;
  [[nodiscard]] int dumps() const;

 private:
  Result<void> Reach(CriuStep step, Deadline deadline, const CancelToken& cancel);
  Result<void> WriteImages(const criu::DumpRequest& request, const ProcessTree& tree,
                           const CancelToken& cancel);
  Result<criu::DumpReport> DumpStopped(const criu::DumpRequest& request, const ProcessTree& tree,
                                       const criu::DumpObserver& observer,
                                       const CancelToken& cancel);
  Result<Child> MakeStopped(const criu::RestoreRequest& request);

  Children& children_;
  const std::string path_ = "/fake/criu";
  const criu::Version version_{.major = 4, .minor = 2, .sublevel = 0};
  std::string problem_;
  std::size_t pages_bytes_ = 64 << 10;
  std::vector<std::string> program_ = {"/bin/sleep", "3600"};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<CriuStep, Error> failures_;
  std::set<CriuStep> hanging_;
  std::set<CriuStep> reached_;
  std::vector<SeenRestore> restores_;
  int dumps_ = 0;
  std::vector<Child> restored_;
};

}  // namespace crd::testing
