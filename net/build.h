#pragma once

#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/description.h"

namespace crd::net {

// Whether a namespace can be built from a description on this host, in the caller's namespace: the
// names, MACs, bridges and parents that it asks for. Refuses with the catalogue's words
// (net/refusals.h) and changes nothing.
//
// The outer end of a veth pair whose namespace has ended stays for as long as the kernel takes to
// clean up: an interface that has the name and the MAC is waited for until `patience`.
Result<void> CheckBuildable(const Description& description, Deadline patience);
// The same for one that somebody else builds, who may be able to build more.
Result<void> CheckHost(const Description& description, Deadline patience);

// The part of it that is about the bridges: whether they are there, with the subnets that the
// addresses need.
Result<void> CheckBridges(const Description& description);

// Plugs the outer ends of a description's veth pairs into their bridges, or gives them their
// addresses and routes. A failure leaves some of it done.
Result<void> PlugOuterEnds(const Description& description);
// The same for those that somebody else has made: gives them their MACs and MTUs before.
Result<void> AdoptOuterEnds(const Description& description);

// A namespace that was made from a description, and the outer ends of its veth pairs. Nothing gets
// in or out until it is plugged in. Ends with this, unless kept: then with its last user.
class BuiltNamespace {
 public:
  // Fails as a whole: nothing that it made is left.
  static Result<BuiltNamespace> Build(const Description& description);
  // The same in one that is there, with nothing in it but its loopback; that stays after a failure.
  static Result<BuiltNamespace> BuildIn(const Description& description, UniqueFd netns);

  BuiltNamespace(BuiltNamespace&&) = default;
  BuiltNamespace& operator=(BuiltNamespace&&) = delete;
  ~BuiltNamespace();

  [[nodiscard]] FdRef netns() const { return netns_.ref(); }
  Result<void> Plug() { return PlugOuterEnds(*description_); }
  void Keep() { outer_ends_.clear(); }

 private:
  BuiltNamespace(const Description& description, UniqueFd netns)
      : description_(&description), netns_(std::move(netns)) {}
  const Description* description_;
  UniqueFd netns_;
  std::vector<int> outer_ends_;
};

// A namespace with nothing in it but its loopback, which is up.
Result<UniqueFd> MakeEmptyNetns();

}  // namespace crd::net
