#include "daemon/runtime/freezer.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/runtime/cgroup_file.h"

namespace crd::runtime {
namespace {

const CgroupPlace* PlaceOf(const std::vector<CgroupPlace>& places) {
  const CgroupPlace* v1 = nullptr;
  for (const CgroupPlace& place : places) {
    if (!place.own) continue;
    if (place.v2()) return &place;
    if (place.Has("freezer")) v1 = &place;
  }
  return v1;
}

Result<void> Ask(const std::string& directory, bool v2, bool to_freeze) {
  if (v2) return WriteCgroupFile(directory + "/cgroup.freeze", to_freeze ? "1" : "0");
  return WriteCgroupFile(directory + "/freezer.state", to_freeze ? "FROZEN" : "THAWED");
}

}  // namespace

bool IsFrozen(const std::vector<CgroupPlace>& places) {
  for (const CgroupPlace& place : places) {
    if (!place.own) continue;
    if (place.v2()) {
      const auto state = ReadFile(place.directory + "/cgroup.freeze");
      if (state.ok() && state->starts_with('1')) return true;
    } else if (place.Has("freezer")) {
      const auto state = ReadFile(place.directory + "/freezer.state");
      if (state.ok() && state->starts_with("FR")) return true;
    }
  }
  return false;
}

void ThawLeftOver(pid_t init) {
  const auto places = CgroupsAbove(init);
  if (!places.ok()) return;
  for (const CgroupPlace& place : *places) {
    if (!IsFrozen({place})) continue;
    const auto thawed = Ask(place.directory, place.v2(), /*to_freeze=*/false);
    if (!thawed.ok()) spdlog::error("thaw process {}: {}", init, thawed.error().message);
  }
}

Result<Freezer> Freezer::Of(const std::vector<CgroupPlace>& places) {
  const CgroupPlace* place = PlaceOf(places);
  if (place == nullptr) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "freeze the container: it has no cgroup of its own with a freezer"};
  }
  return Freezer(place->directory, place->v2());
}

Freezer::Freezer(Freezer&& other) noexcept
    : directory_(std::move(other.directory_)),
      v2_(other.v2_),
      asked_(std::exchange(other.asked_, false)) {}

Freezer::~Freezer() {
  if (const auto thawed = Thaw(); !thawed.ok()) spdlog::error("{}", thawed.error().message);
}

Result<bool> Freezer::Frozen() const {
  if (!v2_) return TRY(ReadFile(directory_ + "/freezer.state")).starts_with("FROZEN");
  return TRY(ReadFile(directory_ + "/cgroup.events")).find("frozen 1") != std::string::npos;
}

Result<void> Freezer::Freeze(Deadline deadline) {
  asked_ = true;
  // It takes well under a millisecond where nothing forks; look often at first, then seldom.
  auto pause = std::chrono::microseconds(50);
  for (TRY(Ask(directory_, v2_, /*to_freeze=*/true)); !TRY(Frozen());) {
    if (SteadyClock::now() >= deadline) {
      TRY(Thaw());
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("freeze '{}': its tasks do not stop", directory_)};
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
    if (!v2_) TRY(Ask(directory_, v2_, /*to_freeze=*/true));
  }
  return {};
}

Result<void> Freezer::Thaw() {
  if (!std::exchange(asked_, false)) return {};
  auto thawed = Ask(directory_, v2_, /*to_freeze=*/false);
  if (!thawed.ok() && thawed.error().code == Code::kNotFound) return {};
  return std::move(thawed).Annotate("thaw the container");
}

}  // namespace crd::runtime
