#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/core/event_hub.h"
#include "daemon/core/network_records.h"
#include "daemon/core/records.h"
#include "store/store.h"

namespace crd {

// Something that happened, as clients see it.
using Event = store::EventRow;

// What is to be written together. Every record that is put in becomes an event, too.
class Update {
 public:
  explicit Update(const Clock& clock) : clock_(clock) {}
  Update& Put(const CheckpointRecord& record);
  Update& Put(const ContainerRecord& record);
  Update& Put(const OperationRecord& record);
  Update& Put(const NetworkRecord& record);
  // Notes the time of the change.
  Update& Put(ReservationRecord record);
  // The same without an event, for what changes no state.
  Update& Amend(const CheckpointRecord& record);
  Update& Delete(const CheckpointId& id);
  Update& Forget(const ContainerId& id);
  Update& DeleteNetwork(const std::string& name);
  // See store::Change.
  Update& SyncWithNext();
  [[nodiscard]] const store::Change& change() const { return change_; }

 private:
  void Note(std::string_view subject, const std::string& id, std::string_view what,
            std::string detail);
  const Clock& clock_;
  store::Change change_;
};

// One page of a list, newest first.
template <typename Record>
struct Page {
  std::vector<Record> records;
  std::string next_token;  // empty on the last page
};

// The records of everything, on disk and typed: the only way to change them. What a call has
// written is durable, and published, when it returns; of an update that is to be synced with the
// next, only the latter. Thread-safe.
class Inventory {
 public:
  static constexpr int kMaxPage = 1000;

  static Result<std::unique_ptr<Inventory>> Open(std::unique_ptr<store::Store> store,
                                                 const Clock& clock);

  [[nodiscard]] Update NewUpdate() const { return Update(clock_); }
  Result<void> Write(const Update& update);

  // Reads a container's record, lets `change` alter it, writes it if that says true. No other
  // change of a container comes in between.
  Result<ContainerRecord> ChangeContainer(
      const ContainerId& id, const std::function<Result<bool>(ContainerRecord&)>& change);
  Result<CheckpointRecord> ChangeCheckpoint(
      const CheckpointId& id, const std::function<Result<bool>(CheckpointRecord&)>& change);

  Result<ReservationRecord> ChangeReservation(
      const ReservationId& id, const std::function<Result<bool>(ReservationRecord&)>& change);

  // By id, name or unique id prefix; CHECKPOINT_NOT_FOUND, KEY_AMBIGUOUS, ….
  Result<CheckpointRecord> FindCheckpoint(std::string_view key);
  Result<ContainerRecord> FindContainer(std::string_view key);
  Result<OperationRecord> FindOperation(std::string_view key);
  Result<std::optional<OperationRecord>> FindRequest(std::string_view request_id);

  Result<Page<CheckpointRecord>> ListCheckpoints(std::string_view token, int limit,
                                                 const std::vector<CheckpointState>& states);
  Result<Page<ContainerRecord>> ListContainers(std::string_view token, int limit,
                                               const std::vector<ContainerState>& states);
  Result<Page<OperationRecord>> ListOperations(std::string_view token, int limit,
                                               const std::vector<OperationState>& states);
  Result<std::vector<ContainerId>> ListRestores(const CheckpointId& id);

  // NETWORK_NOT_FOUND.
  Result<NetworkRecord> FindNetwork(std::string_view name);
  // By name.
  Result<std::vector<NetworkRecord>> ListNetworks();

  // By id or unique id prefix; RESERVATION_NOT_FOUND, KEY_AMBIGUOUS.
  Result<ReservationRecord> FindReservation(std::string_view key);
  Result<Page<ReservationRecord>> ListReservations(std::string_view token, int limit,
                                                   const std::vector<ReservationState>& states);
  // Live ones that have one of these. See store::Store::FindReservations.
  Result<std::vector<ReservationRecord>> FindClaimed(const store::Store::ReservationClaims& claims);
  // Also released ones, oldest first.
  Result<std::vector<ReservationRecord>> ListReservationsOf(const CheckpointId& id);
  Result<std::vector<ReservationRecord>> ListReservationsOf(const ContainerId& id);
  Result<std::vector<std::string>> ListReservedAddresses(const std::string& network);

  Result<std::vector<Event>> ListEvents(std::int64_t after, int limit);
  EventHub& events() { return events_; }

  Result<std::int64_t> CountCheckpoints(const std::vector<CheckpointState>& states);
  Result<std::int64_t> CountContainers(const std::vector<ContainerState>& states);

 private:
  Inventory(std::unique_ptr<store::Store> store, const Clock& clock, std::int64_t last_event)
      : store_(std::move(store)), clock_(clock), events_(last_event) {}
  std::unique_ptr<store::Store> store_;
  const Clock& clock_;
  EventHub events_;
  std::mutex change_mutex_;  // read-modify-write of one record
};

}  // namespace crd
