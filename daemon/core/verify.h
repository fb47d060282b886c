#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "daemon/core/image_store.h"

namespace crd {

// One file of a checkpoint that is not what the manifest says.
struct Damage {
  std::string file;
  std::string what;
  [[nodiscard]] std::string ToString() const { return file + " " + what; }
};

// Compares images with their manifest in two parts: what is quick and must come before CRIU reads
// anything, and what takes time and may run beside it.
//
// At once: the names of deleted files, missing, additional and resized files, and the digest of
// everything but big pages files. CRIU 4.2 hangs for ever on a truncated pages file (criu#2899,
// fixed in 4.3) and crashes on some damaged small ones, but what pages hold is only copied: it has
// to be right before the tree runs, not before CRIU reads it.
class Verification {
 public:
  // `checkpoint` must outlive it. The rest of the work runs on a thread of its own.
  explicit Verification(const StoredCheckpoint& checkpoint);
  Verification(const Verification&) = delete;
  Verification& operator=(const Verification&) = delete;
  ~Verification();

  // Found at once.
  [[nodiscard]] const std::vector<Damage>& first() const { return first_; }
  // Waits for the rest; everything found.
  std::vector<Damage> Finish();

 private:
  std::vector<Damage> first_;
  std::atomic<bool> stop_ = false;
  std::future<std::vector<Damage>> rest_;
};

}  // namespace crd
