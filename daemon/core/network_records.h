#pragma once

#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/core/states.h"
#include "store/rows.h"

namespace crd {

// What crd knows of networks and of who has which of their addresses, as values. Addresses are text
// as inet_ntop(3) writes it, MACs "aa:bb:cc:dd:ee:ff".

using ReservationId = Id<struct ReservationTag>;

struct Subnet {
  std::string prefix;   // "10.77.0.0/24": bits behind the prefix are zero
  std::string gateway;  // empty: none
  bool operator==(const Subnet&) const = default;
};

enum class NetworkOrigin {
  kMade,   // by crd, bridge and all
  kTaken,  // somebody's bridge, that crd was told of
  kFound,  // somebody's bridge, that a checkpointed tree was on
};

// A bridge with its subnets.
struct NetworkRecord {
  std::string name;
  std::string bridge;
  std::vector<Subnet> subnets;
  NetworkOrigin origin = NetworkOrigin::kTaken;
  WallMicros created_us = 0;
};

// What keeps an endpoint's addresses while it is held.
enum class Keeping {
  kHold,     // its namespace, in which the kernel goes on to answer for them
  kRelease,  // the record alone
};

struct ReservationRecord {
  ReservationId id;
  std::string network;
  ReservationState state = ReservationState::kHeld;
  Keeping keeping = Keeping::kRelease;
  std::string interface;       // inner name; empty: not known
  std::string host_interface;  // the veth's outer name; empty: none
  std::string mac;             // empty: any
  std::vector<std::string> addresses;
  std::string holder;  // who reserved it by hand; else empty
  CheckpointId checkpoint_id;
  ContainerId container_id;
  WallMicros created_us = 0;
  WallMicros changed_us = 0;
  WallMicros expires_us = 0;  // while it is held; 0: never
  std::string problem;        // why it is kept less well than was asked for
};

// Nobody else may have what it claims.
constexpr bool IsLive(ReservationState state) { return state != ReservationState::kReleased; }

// "checkpoint 1234 ", "container 5678", or what somebody called himself: for sentences.
std::string HolderOf(const ReservationRecord& reservation);

std::string_view Name(NetworkOrigin origin);
std::string_view Name(Keeping keeping);

store::NetworkRow ToRow(const NetworkRecord& record);
store::ReservationRow ToRow(const ReservationRecord& record);
// Fail with kDataLoss on a row that this version could not have written.
Result<NetworkRecord> FromRow(const store::NetworkRow& row);
Result<ReservationRecord> FromRow(const store::ReservationRow& row);

}  // namespace crd
