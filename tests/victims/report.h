#pragma once

#include <atomic>
#include <cstdint>

#include <sys/types.h>

namespace crd::victims {

// What a victim says about itself: one page of a file that it has mapped, shared with whoever
// reads. It needs no descriptor and no other process, so that it goes through a checkpoint
// unchanged, and it outlives the victim. What it says is always the victim's own memory, copied: a
// victim that was restored from an older checkpoint says older things.
struct Report {
  static constexpr std::uint32_t kMagic = 0x76696374;
  static constexpr int kActivities = 256;  // each has to go on
  static constexpr int kValues = 64;       // whatever a mode wants to tell: ports, pids
  static constexpr int kText = 1024;

  enum State : std::uint32_t { kStarting = 0, kReady = 1, kFailed = 2 };

  std::uint32_t magic;
  std::atomic<std::uint32_t> state;
  std::atomic<std::uint32_t> activities;  // how many are in use
  std::atomic<pid_t> pid;                 // of the root
  std::atomic<std::uint64_t> counts[kActivities];
  std::atomic<std::int64_t> values[kValues];
  char text[kText];  // why it failed; complete once state says so
};
static_assert(sizeof(Report) <= 4096);
inline constexpr std::size_t kReportSize = 4096;

}  // namespace crd::victims
