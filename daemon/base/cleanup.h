#pragma once

#include <utility>

namespace crd {

// Runs a function at the end of the scope unless it was cancelled: undo that vanishes on success.
template <typename F>
class [[nodiscard]] Cleanup {
 public:
  explicit Cleanup(F undo) : undo_(std::move(undo)) {}
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  Cleanup(Cleanup&&) = delete;
  Cleanup& operator=(Cleanup&&) = delete;
  ~Cleanup() {
    if (armed_) undo_();
  }
  void Cancel() { armed_ = false; }

 private:
  F undo_;
  bool armed_ = true;
};

}  // namespace crd
