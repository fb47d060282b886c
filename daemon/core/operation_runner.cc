#include "daemon/core/operation_runner.h"

#include "daemon/core/errors.h"

namespace crd {

OperationRunner::OperationRunner(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

OperationRunner::~OperationRunner() {
  Drain(SteadyClock::now());
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<void> OperationRunner::Submit(std::shared_ptr<Operation> operation, Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return errors::ShuttingDown();
    if (waiting_.size() >= kMaxWaiting) return errors::TooManyOperations(kMaxWaiting);
    waiting_.push_back({.operation = std::move(operation), .work = std::move(work)});
  }
  work_.notify_one();
  return {};
}

std::vector<std::shared_ptr<Operation>> OperationRunner::live() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Operation>> all = running_;
  for (const Job& job : waiting_) all.push_back(job.operation);
  return all;
}

bool OperationRunner::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

void OperationRunner::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    running_.push_back(job.operation);
    lock.unlock();
    job.work(*job.operation);
    lock.lock();
    std::erase(running_, job.operation);
    if (running_.empty() && waiting_.empty()) idle_.notify_all();
  }
}

bool OperationRunner::WaitIdle(std::unique_lock<std::mutex>& lock, Deadline deadline) {
  const auto idle = [&] { return running_.empty() && waiting_.empty(); };
  if (deadline == kNoDeadline) {
    idle_.wait(lock, idle);
    return true;
  }
  return idle_.wait_until(lock, deadline, idle);
}

void OperationRunner::Drain(Deadline patience) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  if (WaitIdle(lock, patience)) return;
  for (const std::shared_ptr<Operation>& operation : running_) operation->Cancel();
  for (const Job& job : waiting_) job.operation->Cancel();
  WaitIdle(lock, kNoDeadline);
}

}  // namespace crd
