#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/core/inventory.h"
#include "daemon/core/netns_pins.h"
#include "daemon/core/networks.h"
#include "daemon/core/ports.h"
#include "net/description.h"

namespace crd {

struct ReserveRequest {
  std::string request_id;
  std::string network;
  std::vector<std::string> addresses;        // empty: a free one of each subnet
  std::string mac;                           // empty: any
  std::string host_interface;                // empty: any
  std::string holder;                        // who wants it: what others are told
  std::chrono::microseconds reserve_for{0};  // 0: until it is released
};

// How a checkpoint keeps its tree's endpoints.
struct EndpointHold {
  const CheckpointRecord& checkpoint;
  Keeping keeping = Keeping::kRelease;
  bool runs_on = false;
  std::chrono::microseconds reserve_for{0};
};

// Who has which address, MAC and veth name: so that nobody else gets what a checkpointed tree comes
// back to. That no two have the same is for the database to see to; here is who may take over what,
// and what is told to whom it is refused. Thread-safe.
class Reservations {
 public:
  // Who asks for any free address may be overtaken by others who do, and tries so often.
  static constexpr int kFreeAttempts = 16;

  Reservations(Inventory& inventory, Networks& networks, NetnsPins& pins, ExitWatcher& timers,
               const Clock& clock)
      : inventory_(inventory), networks_(networks), pins_(pins), timers_(timers), clock_(clock) {}

  // --- for people and engines ---

  // Held until it is released or expires. Asked again with the same request id, it gives the
  // reservation that the first call made. NETWORK_NOT_FOUND, ADDRESS_*, MAC_*, NO_ADDRESS_FREE,
  // INTERFACE_NAME_INVALID, HOST_INTERFACE_HELD.
  Result<ReservationRecord> Reserve(const ReserveRequest& request);
  // By id, unique prefix of it, or address (`network` empty: of any). RESERVATION_NOT_FOUND,
  // KEY_AMBIGUOUS.
  Result<ReservationRecord> Find(const std::string& key, const std::string& network);
  // And dismantles what keeps it; one that is released already stays so. RESERVATION_ACTIVE.
  Result<ReservationRecord> Release(const ReservationRecord& record);
  // Why nobody may use the address now, and who has it; neither if it is free.
  struct Answer {
    std::optional<Error> why_not;
    std::optional<ReservationRecord> holder;
  };
  Result<Answer> CheckAddress(const std::string& network, const std::string& address);
  // A free address of each subnet of the network. NO_ADDRESS_FREE if one of them has none.
  Result<std::vector<std::string>> FreeAddresses(const NetworkRecord& network);

  // --- for checkpoints and restores ---

  // Whether a checkpoint of this container may hold its endpoints; ADDRESS_HELD and the like.
  Result<void> CheckHold(const net::Description& description, const ContainerId& container);
  // Whether there is anything to hold.
  static bool HasEndpoints(const net::Description& description);
  // Adds the reservations that belong to a checkpoint to the update that makes it ready.
  Result<void> Hold(const net::Description& description, const EndpointHold& hold, Update& update);
  // To be called once that is written.
  void ScheduleExpiry(WallMicros expires_us);

  // Adds to the update by which a restore begins what makes the endpoints the container's own.
  // Where an older or younger checkpoint of the same container keeps their namespace, that is
  // dismantled: the two could not live side by side. ADDRESS_HELD and the like.
  Result<void> Claim(const net::Description& description, const CheckpointRecord& checkpoint,
                     const ContainerId& container, Update& update);
  // Dismantles the namespace that a checkpoint keeps: what it still holds is held by record alone.
  Result<void> LoseNamespace(const CheckpointId& checkpoint);
  // What a container that does not come to life had claimed.
  Result<void> GiveBack(const ContainerId& container, Update& update);
  // All that a checkpoint holds, for the update that removes it. Active ones stay with those who
  // run. What keeps them is for the caller to dismantle.
  Result<void> ReleaseOf(const CheckpointId& checkpoint, Update& update);

  // Releases what has expired. Best effort: what fails is logged.
  void ReleaseExpired();

 private:
  using Claims = store::Store::ReservationClaims;
  struct Endpoint;
  static std::vector<Endpoint> EndpointsOf(const net::Description& description);
  Result<NetworkRecord> NetworkOf(const Endpoint& endpoint, Update& update);
  using Owns = std::function<bool(const ReservationRecord&, const Claims&)>;
  // The reservation that is the owner's already, or a new one, with all that the endpoint claims.
  Result<ReservationRecord> Take(const Endpoint& endpoint, const NetworkRecord& network,
                                 const Owns& owns, Update& update);
  Owns OwnerAtCheckpoint(const ContainerId& container);
  // The first container of the line that checkpoints and restores have made of it.
  [[nodiscard]] ContainerId Ancestor(ContainerId container);

  Inventory& inventory_;
  Networks& networks_;
  NetnsPins& pins_;
  ExitWatcher& timers_;
  const Clock& clock_;
};

// A container that has ended, or never came to life, gives its endpoints back to its checkpoint;
// they are released where that is gone. `pinned` says whether a checkpoint keeps the namespace.
Result<void> GiveBackEndpoints(Inventory& inventory, const ContainerId& container,
                               const std::function<bool(const CheckpointId&)>& pinned,
                               Update& update);

}  // namespace crd
