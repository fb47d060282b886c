#include "daemon/core/reservations.h"

#include <algorithm>
#include <set>

#include "daemon/base/log.h"
#include "daemon/core/digest.h"
#include "daemon/core/errors.h"
#include "daemon/core/network_errors.h"
#include "daemon/core/network_lock.h"
#include "daemon/core/subnets.h"
#include "net/interface_name.h"

namespace crd {
namespace {

constexpr std::size_t kIdLength = 16;
constexpr std::size_t kMaxHolder = 64;
constexpr const char* kByHand = "by hand";
constexpr std::chrono::hours kLongestTimer{24};

Result<std::string> CheckedHolder(const std::string& holder) {
  if (holder.empty()) return std::string(kByHand);
  const bool printable = std::none_of(holder.begin(), holder.end(),
                                      [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (printable && holder.size() <= kMaxHolder) return holder;
  return errors::InvalidRequest("the holder of a reservation is too long, or not printable",
                                fmt::format("use at most {} printable bytes", kMaxHolder));
}

// What is asked for. No addresses where any free one will do.
Result<ReservationRecord> Asked(const ReserveRequest& request, const NetworkRecord& network) {
  ReservationRecord record{.network = network.name, .holder = TRY(CheckedHolder(request.holder))};
  for (const std::string& text : request.addresses) {
    record.addresses.push_back(TRY(CanonicalAddress(text)));
    TRY(CheckForUse(network, record.addresses.back()));
  }
  if (!request.mac.empty()) record.mac = TRY(CanonicalMac(request.mac));
  if (!request.host_interface.empty()) {
    TRY(net::CheckInterfaceName(request.host_interface));
    record.host_interface = request.host_interface;
  }
  return record;
}

}  // namespace

Result<ReservationRecord> Reservations::Reserve(const ReserveRequest& request) {
  const NetworkRecord network = TRY(networks_.Find(request.network));
  ReservationRecord record = TRY(Asked(request, network));
  record.id = NewId<ReservationId>();
  if (!request.request_id.empty()) {
    record.id = ReservationId(DigestOf("reserve " + request.request_id).substr(0, kIdLength));
    const auto earlier = inventory_.FindReservation(record.id.str());
    const bool same = earlier.ok() && earlier->network == record.network &&
                      (record.addresses.empty() || record.addresses == earlier->addresses);
    if (earlier.ok()) {
      if (!same) return errors::RequestIdReused(request.request_id);
      return *earlier;
    }
  }
  record.created_us = clock_.Wall();
  if (request.reserve_for.count() > 0)
    record.expires_us = record.created_us + request.reserve_for.count();
  // That somebody took a free address meanwhile is no conflict.
  const Claims claims{.network = record.network,
                      .mac = record.mac,
                      .host_interface = record.host_interface,
                      .addresses = record.addresses};
  for (int attempt = 1;; ++attempt) {
    if (request.addresses.empty()) record.addresses = TRY(FreeAddresses(network));
    auto written = inventory_.Write(inventory_.NewUpdate().Put(record));
    if (written.ok()) break;
    if (written.error().reason != "RESERVATION_CONFLICT") return std::move(written).error();
    const auto holders = TRY(inventory_.FindClaimed(claims));
    if (!holders.empty()) return errors::Held(claims, holders.front());
    if (attempt == kFreeAttempts) return std::move(written).error();
  }
  if (record.expires_us != 0) ScheduleExpiry(record.expires_us);
  return record;
}

Result<std::vector<std::string>> Reservations::FreeAddresses(const NetworkRecord& network) {
  const auto reserved = TRY(inventory_.ListReservedAddresses(network.name));
  const std::set<std::string> taken(reserved.begin(), reserved.end());
  std::vector<std::string> addresses;
  for (const Subnet& subnet : network.subnets) {
    addresses.push_back(FirstFree(subnet, taken));
    if (addresses.back().empty()) return errors::NoAddressFree(network.name);
  }
  if (addresses.empty()) return errors::NoAddressFree(network.name);
  return addresses;
}

Result<Reservations::Answer> Reservations::CheckAddress(const std::string& network,
                                                        const std::string& text) {
  const NetworkRecord record = TRY(networks_.Find(network));
  const std::string address = TRY(CanonicalAddress(text));
  if (auto use = CheckForUse(record, address); !use.ok())
    return Answer{.why_not = std::move(use).error(), .holder = {}};
  auto holders = TRY(inventory_.FindClaimed(
      {.network = record.name, .mac = "", .host_interface = "", .addresses = {address}}));
  if (holders.empty()) return Answer{};
  return Answer{.why_not = errors::AddressHeld(address, holders.front()),
                .holder = std::move(holders.front())};
}

Result<ReservationRecord> Reservations::Find(const std::string& key, const std::string& network) {
  auto found = inventory_.FindReservation(key);
  const auto address = CanonicalAddress(key);
  if (found.ok() || found.error().reason != "RESERVATION_NOT_FOUND" || !address.ok()) return found;
  std::vector<ReservationRecord> holders;
  for (const NetworkRecord& record : TRY(networks_.List())) {
    if (!network.empty() && record.name != network) continue;
    for (ReservationRecord& holder : TRY(inventory_.FindClaimed(
             {.network = record.name, .mac = "", .host_interface = "", .addresses = {*address}})))
      holders.push_back(std::move(holder));
  }
  if (holders.empty()) return found;
  if (holders.size() == 1) return std::move(holders.front());
  std::vector<std::string> ids;
  for (const ReservationRecord& holder : holders) ids.push_back(holder.id.str());
  return errors::KeyAmbiguous("reservation", key, ids);
}

Result<ReservationRecord> Reservations::Release(const ReservationRecord& record) {
  ReservationRecord freed =
      TRY(inventory_.ChangeReservation(record.id, [](ReservationRecord& now) -> Result<bool> {
        if (now.state == ReservationState::kReleased) return false;
        if (now.state == ReservationState::kActive) return errors::ReservationActive(now);
        TRY(SetState(now.state, ReservationState::kReleased));
        return true;
      }));
  if (freed.keeping == Keeping::kHold) TRY(LoseNamespace(freed.checkpoint_id));
  return freed;
}

// Its lock goes with it, and not before: peers would be reset whose connections may come back.
Result<void> Reservations::LoseNamespace(const CheckpointId& checkpoint) {
  TRY(pins_.Dismantle(checkpoint));
  if (const auto record = inventory_.FindCheckpoint(checkpoint.str()); record.ok())
    ReleaseNetworkLock(inventory_, *record, pins_.Path(checkpoint));
  Update update = inventory_.NewUpdate();
  for (ReservationRecord& other : TRY(inventory_.ListReservationsOf(checkpoint))) {
    if (other.state != ReservationState::kHeld || other.keeping != Keeping::kHold) continue;
    other.keeping = Keeping::kRelease;
    other.problem = "its network namespace was dismantled for another endpoint";
    update.Put(other);
  }
  return update.change().reservations.empty() ? Result<void>() : inventory_.Write(update);
}

void Reservations::ScheduleExpiry(WallMicros expires_us) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::chrono::microseconds(std::max<WallMicros>(expires_us - clock_.Wall(), 0)));
  timers_.After(std::min<std::chrono::milliseconds>(left, kLongestTimer), [this, expires_us] {
    if (clock_.Wall() < expires_us) return ScheduleExpiry(expires_us);
    ReleaseExpired();
  });
}

void Reservations::ReleaseExpired() {
  std::string token;
  do {
    const auto held = inventory_.ListReservations(token, 0, {ReservationState::kHeld});
    if (!held.ok()) return spdlog::warn("look for expired reservations: {}", held.error().message);
    for (const ReservationRecord& record : held->records) {
      if (record.expires_us == 0 || record.expires_us > clock_.Wall()) continue;
      if (const auto freed = Release(record); !freed.ok())
        spdlog::warn("reservation={} release it: {}, ignoring", record.id, freed.error().message);
    }
    token = held->next_token;
  } while (!token.empty());
}

}  // namespace crd
