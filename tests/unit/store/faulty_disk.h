#pragma once

namespace crd::testing {

// While it lives, SQLite works through it: the n-th write, sync or truncation fails as a broken
// disk would, and those behind it too if `for_good`. One at a time.
class FaultyDisk {
 public:
  FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  ~FaultyDisk();

  void FailAt(int n, bool for_good);
  void Repair();
  [[nodiscard]] bool HasFailed() const;
};

}  // namespace crd::testing
