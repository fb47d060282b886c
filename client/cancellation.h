#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include <grpcpp/client_context.h>

namespace crd::client {

// Gives up the call that is being made, and those that would follow it. Never taken back. Any
// thread may call any function.
class Cancellation {
 public:
  void Cancel();
  [[nodiscard]] bool cancelled() const;
  // Waits for so long, or until it is cancelled.
  void Pause(std::chrono::milliseconds length) const;

  // Connects a call with a cancellation (null: none) while it goes on.
  class Call {
   public:
    Call(Cancellation* cancellation, grpc::ClientContext& context);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Call(Call&&) = delete;
    Call& operator=(Call&&) = delete;
    ~Call();

   private:
    Cancellation* cancellation_;
  };

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool cancelled_ = false;
  grpc::ClientContext* current_ = nullptr;
};

}  // namespace crd::client
