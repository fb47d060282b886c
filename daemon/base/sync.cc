#include "daemon/base/sync.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

#include "daemon/base/files.h"

namespace crd {
namespace {

// More do not get it done sooner: what is waited for is the same commit of the journal.
constexpr std::size_t kMaxThreads = 32;

}  // namespace

Result<void> SyncTogether(const std::vector<SyncTarget>& targets) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Result<void> outcome;
  const auto sync_some = [&] {
    for (std::size_t i = next++; i < targets.size(); i = next++) {
      auto synced = Sync(targets[i].fd, targets[i].name);
      const std::lock_guard lock(mutex);
      if (outcome.ok()) outcome = std::move(synced);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < std::min(targets.size(), kMaxThreads); ++i) {
    try {
      threads.emplace_back(sync_some);
    } catch (const std::system_error&) {
      break;  // No more threads to be had: those that there are do it all.
    }
  }
  sync_some();
  for (std::thread& thread : threads) thread.join();
  return outcome;
}

}  // namespace crd
