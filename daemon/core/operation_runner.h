#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/core/operation.h"

namespace crd {

// Runs operations, one at a time on each of a fixed number of threads. The threads live as long as
// the runner, which lives as long as the process: CRIU's tasks are children of the thread that
// started CRIU, and PR_SET_PDEATHSIG fires when that thread ends. Thread-safe.
class OperationRunner {
 public:
  using Work = std::function<void(Operation&)>;
  static constexpr std::size_t kMaxWaiting = 64;

  explicit OperationRunner(int threads);
  OperationRunner(const OperationRunner&) = delete;
  OperationRunner& operator=(const OperationRunner&) = delete;
  ~OperationRunner();

  // `work` ends the operation on every path. TOO_MANY_OPERATIONS, SHUTTING_DOWN.
  Result<void> Submit(std::shared_ptr<Operation> operation, Work work);
  // Operations that have not ended.
  [[nodiscard]] std::vector<std::shared_ptr<Operation>> live() const;
  // Whether Drain() was called.
  [[nodiscard]] bool draining() const;
  // Takes nothing new; lets what runs finish until `patience`, cancels what runs then, and returns
  // when everything has ended.
  void Drain(Deadline patience);

 private:
  struct Job {
    std::shared_ptr<Operation> operation;
    Work work;
  };
  void Run();
  bool WaitIdle(std::unique_lock<std::mutex>& lock, Deadline deadline);

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Job> waiting_;
  std::vector<std::shared_ptr<Operation>> running_;
  bool draining_ = false;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace crd
