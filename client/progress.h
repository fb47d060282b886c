#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <api/v1/types.pb.h>

#include "client/output.h"
#include "daemon/base/clock.h"

namespace crd::client {

// One line about an operation that goes on, as wide as the terminal at most: stage, a bar and per
// cent where the total is known, bytes where there are any, time.
std::string ProgressLine(const std::optional<v1::Progress>& progress, std::uint64_t elapsed_us,
                         std::size_t columns);

// Shows that line while it lives, drawn anew ten times a second, and wipes it out in the end. Only
// on a terminal, and only from 200 ms on: what is over sooner needs none. Update() is for the
// thread that made it.
class Progress {
 public:
  enum class Show { kOnTerminal, kNever };
  Progress(Output& err, Show show);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  ~Progress();

  void Update(const v1::Progress& progress);

 private:
  void Run();

  Output& err_;
  const SteadyClock::time_point begun_ = SteadyClock::now();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::optional<v1::Progress> latest_;
  std::thread thread_;  // none if nothing is shown
};

}  // namespace crd::client
