#include "client/cancellation.h"

namespace crd::client {

void Cancellation::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (current_ != nullptr) current_->TryCancel();
  changed_.notify_all();
}

bool Cancellation::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void Cancellation::Pause(std::chrono::milliseconds length) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, length, [this] { return cancelled_; });
}

Cancellation::Call::Call(Cancellation* cancellation, grpc::ClientContext& context)
    : cancellation_(cancellation) {
  if (cancellation_ == nullptr) return;
  const std::lock_guard lock(cancellation_->mutex_);
  cancellation_->current_ = &context;
  // gRPC remembers it for the call that is about to begin.
  if (cancellation_->cancelled_) context.TryCancel();
}

Cancellation::Call::~Call() {
  if (cancellation_ == nullptr) return;
  const std::lock_guard lock(cancellation_->mutex_);
  cancellation_->current_ = nullptr;
}

}  // namespace crd::client
