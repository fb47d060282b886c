#pragma once

#include <csignal>
#include <functional>
#include <thread>

#include "daemon/base/unique_fd.h"

namespace crd::client {

// While it lives, SIGINT, SIGTERM and SIGHUP do not end the process: a thread of its own hears of
// them and calls a function. Those that were ignored before (nohup(1)) stay so.
//
// Make it before other threads are started: they inherit the mask that keeps the signals from them.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void(int)> on_signal);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  SignalWatch(SignalWatch&&) = delete;
  SignalWatch& operator=(SignalWatch&&) = delete;
  ~SignalWatch();

 private:
  void Run();

  std::function<void(int)> on_signal_;
  sigset_t before_{};
  UniqueFd signals_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace crd::client
