#pragma once

#include <string>

#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/runtime/container.h"
#include "daemon/runtime/describe.h"

namespace crd::runtime {

// Which container a runtime is to make of a bundle.
struct StandInRequest {
  Kind kind = Kind::kRunc;
  std::string root;  // the runtime's state directory; empty: its default
  std::string id;
  std::string bundle;
};

// A container that its runtime makes of a bundle and that never runs: what `create` leaves waits,
// is looked at, and killed. So images that know nothing of the container's mounts, cgroups and
// namespaces get all of it from whom it concerns, and the runtime lists it as stopped, as after a
// checkpoint of crd's (runc 1.1: its own `checkpoint` forgets the container). Belongs to one
// import.
class StandIn {
 public:
  // RUNTIME_FAILED, with the runtime's own words. Call from a thread that lives on.
  static Result<StandIn> Make(const StandInRequest& request, Children& children, Deadline deadline);

  StandIn(StandIn&& other) noexcept;
  StandIn& operator=(StandIn&&) = delete;
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;
  // Deletes it, unless it is to stay.
  ~StandIn();
  void Keep() { children_ = nullptr; }

  [[nodiscard]] const SavedContainer& container() const { return container_; }
  // Of the network namespace that its config.json names; empty: none.
  [[nodiscard]] const std::string& network_path() const { return network_path_; }

 private:
  StandIn(StandInRequest request, Children& children)
      : request_(std::move(request)), children_(&children) {}
  StandInRequest request_;
  Children* children_;  // null once it is to stay, or was moved from
  SavedContainer container_;
  std::string network_path_;
};

}  // namespace crd::runtime
