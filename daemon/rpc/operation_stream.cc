#include "daemon/rpc/operation_stream.h"

#include <chrono>
#include <cstdint>
#include <limits>

#include "daemon/base/clock.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/status.h"

namespace crd::rpc {
namespace {

// What is over at once needs no progress.
constexpr auto kQuiet = std::chrono::milliseconds(100);
constexpr auto kTick = std::chrono::milliseconds(50);

// No progress is newer than this one: only the end cuts the waiting short.
constexpr std::uint64_t kNewest = std::numeric_limits<std::uint64_t>::max();

class Watcher {
 public:
  explicit Watcher(Operation& operation) : operation_(operation) { operation_.AddWatcher(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() { operation_.DropWatcher(gave_up_); }
  void GiveUp() { gave_up_ = true; }

 private:
  Operation& operation_;
  bool gave_up_ = false;
};

}  // namespace

Result<OperationRecord> FollowOperation(Operation& operation,
                                        const std::function<bool()>& client_left,
                                        const std::function<bool(const v1::Progress&)>& write) {
  Watcher watcher(operation);
  const auto loud = SteadyClock::now() + kQuiet;
  std::uint64_t written = 0;
  for (;;) {
    const Progress progress = operation.WaitBeyond(kNewest, kTick);
    if (operation.ended()) break;
    const bool news = progress.revision != written && SteadyClock::now() >= loud;
    if (client_left() || (news && !write(ToProto(operation.id(), progress)))) {
      watcher.GiveUp();
      return ClientLeft();
    }
    if (news) written = progress.revision;
  }
  OperationRecord record = operation.record();
  if (record.state == OperationState::kFailed) return std::move(record.error);
  return record;
}

}  // namespace crd::rpc
