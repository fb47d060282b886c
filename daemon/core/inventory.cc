#include "daemon/core/inventory.h"

#include <algorithm>
#include <charconv>

#include <fmt/ranges.h>

#include "daemon/core/errors.h"
#include "daemon/core/network_errors.h"

namespace crd {
namespace {

template <typename State>
std::vector<std::string> Names(const std::vector<State>& states) {
  std::vector<std::string> names;
  for (const State state : states) names.emplace_back(Name(state));
  return names;
}

// "<created_us>:<id>" of the last record on the page before.
Result<store::Cursor> ParseToken(std::string_view token) {
  store::Cursor cursor;
  if (token.empty()) return cursor;
  const auto [end, error] =
      std::from_chars(token.data(), token.data() + token.size(), cursor.created_us);
  const auto used = static_cast<std::size_t>(end - token.data());
  if (error != std::errc() || used >= token.size() || token[used] != ':') {
    return errors::InvalidRequest(fmt::format("'{}' is no page token", token),
                                  "use the token that came with the page before");
  }
  cursor.id = token.substr(used + 1);
  return cursor;
}

template <typename Record, typename Row>
Result<std::vector<Record>> Typed(const std::vector<Row>& rows) {
  std::vector<Record> records;
  records.reserve(rows.size());
  for (const Row& row : rows) records.push_back(TRY(FromRow(row)));
  return records;
}

template <typename Record, typename F>
Result<Page<Record>> ReadPage(std::string_view token, int limit, F list) {
  const store::Cursor cursor = TRY(ParseToken(token));
  limit = limit <= 0 ? Inventory::kMaxPage : std::min(limit, Inventory::kMaxPage);
  // One more than asked for, to know whether there is another page.
  auto rows = TRY(list(cursor, limit + 1));
  const bool more = rows.size() > static_cast<std::size_t>(limit);
  if (more) rows.pop_back();
  Page<Record> page{.records = TRY(Typed<Record>(rows)), .next_token = ""};
  if (more) page.next_token = fmt::format("{}:{}", rows.back().created_us, rows.back().id);
  return page;
}

template <typename Record, typename Row>
Result<Record> Single(const std::vector<Row>& rows, std::string_view subject, std::string_view key,
                      Error (*not_found)(std::string_view)) {
  if (rows.empty()) return not_found(key);
  if (rows.size() == 1) return FromRow(rows.front());
  std::vector<std::string> ids;
  for (const Row& row : rows) ids.push_back(row.id);
  return errors::KeyAmbiguous(subject, key, ids);
}

}  // namespace

void Update::Note(std::string_view subject, const std::string& id, std::string_view what,
                  std::string detail) {
  change_.events.push_back({.sequence = 0,
                            .time_us = clock_.Wall(),
                            .subject = std::string(subject),
                            .id = id,
                            .change = std::string(what),
                            .detail = std::move(detail)});
}

Update& Update::Put(const CheckpointRecord& record) {
  Note("checkpoint", record.id.str(), Name(record.state), record.problem);
  return Amend(record);
}

Update& Update::Amend(const CheckpointRecord& record) {
  change_.checkpoints.push_back(ToRow(record));
  return *this;
}

Update& Update::Put(const ContainerRecord& record) {
  std::string detail = record.problem;
  if (record.exit.code.has_value()) detail = fmt::format("exit status {}", *record.exit.code);
  if (record.exit.signal.has_value())
    detail = fmt::format("killed by signal {}", *record.exit.signal);
  Note("container", record.id.str(), Name(record.state), std::move(detail));
  change_.containers.push_back(ToRow(record));
  return *this;
}

Update& Update::Put(const OperationRecord& record) {
  Note("operation", record.id.str(), Name(record.state),
       record.error.code == Code::kOk ? std::string(Name(record.kind)) : record.error.message);
  change_.operations.push_back(ToRow(record));
  return *this;
}

Update& Update::Delete(const CheckpointId& id) {
  Note("checkpoint", id.str(), "deleted", "");
  change_.deleted_checkpoints.push_back(id.str());
  return *this;
}

Update& Update::Forget(const ContainerId& id) {
  Note("container", id.str(), "forgotten", "");
  change_.deleted_containers.push_back(id.str());
  return *this;
}

Update& Update::Put(const NetworkRecord& record) {
  Note("network", record.name, Name(record.origin), "bridge " + record.bridge);
  change_.networks.push_back(ToRow(record));
  return *this;
}

Update& Update::Put(ReservationRecord record) {
  record.changed_us = clock_.Wall();
  Note("reservation", record.id.str(), Name(record.state),
       fmt::format("{} in network {} for {}{}{}", fmt::join(record.addresses, " "), record.network,
                   HolderOf(record), record.problem.empty() ? "" : ": ", record.problem));
  change_.reservations.push_back(ToRow(record));
  return *this;
}

Update& Update::DeleteNetwork(const std::string& name) {
  Note("network", name, "deleted", "");
  change_.deleted_networks.push_back(name);
  return *this;
}

Update& Update::SyncWithNext() {
  change_.sync_with_next = true;
  return *this;
}

Result<std::unique_ptr<Inventory>> Inventory::Open(std::unique_ptr<store::Store> store,
                                                   const Clock& clock) {
  const std::int64_t last = TRY(store->LastEventSequence());
  return std::unique_ptr<Inventory>(new Inventory(std::move(store), clock, last));
}

Result<void> Inventory::Write(const Update& update) {
  const std::vector<Event> events = TRY(store_->Write(update.change()));
  if (!events.empty()) events_.Publish(events.back().sequence);
  return {};
}

Result<ContainerRecord> Inventory::ChangeContainer(
    const ContainerId& id, const std::function<Result<bool>(ContainerRecord&)>& change) {
  const std::lock_guard lock(change_mutex_);
  const auto row = TRY(store_->GetContainer(id.str()));
  if (!row.has_value()) return errors::ContainerNotFound(id.str());
  ContainerRecord record = TRY(FromRow(*row));
  if (TRY(change(record))) TRY(Write(NewUpdate().Put(record)));
  return record;
}

Result<CheckpointRecord> Inventory::ChangeCheckpoint(
    const CheckpointId& id, const std::function<Result<bool>(CheckpointRecord&)>& change) {
  const std::lock_guard lock(change_mutex_);
  const auto row = TRY(store_->GetCheckpoint(id.str()));
  if (!row.has_value()) return errors::CheckpointNotFound(id.str());
  CheckpointRecord record = TRY(FromRow(*row));
  if (TRY(change(record))) TRY(Write(NewUpdate().Put(record)));
  return record;
}

Result<ReservationRecord> Inventory::ChangeReservation(
    const ReservationId& id, const std::function<Result<bool>(ReservationRecord&)>& change) {
  const std::lock_guard lock(change_mutex_);
  ReservationRecord record = TRY(FindReservation(id.str()));
  if (TRY(change(record))) TRY(Write(NewUpdate().Put(record)));
  return record;
}

Result<CheckpointRecord> Inventory::FindCheckpoint(std::string_view key) {
  return Single<CheckpointRecord>(TRY(store_->MatchCheckpoints(key)), "checkpoint", key,
                                  errors::CheckpointNotFound);
}

Result<ContainerRecord> Inventory::FindContainer(std::string_view key) {
  return Single<ContainerRecord>(TRY(store_->MatchContainers(key)), "container", key,
                                 errors::ContainerNotFound);
}

Result<OperationRecord> Inventory::FindOperation(std::string_view key) {
  return Single<OperationRecord>(TRY(store_->MatchOperations(key)), "operation", key,
                                 errors::OperationNotFound);
}

Result<std::optional<OperationRecord>> Inventory::FindRequest(std::string_view request_id) {
  const auto row = TRY(store_->FindRequest(request_id));
  if (!row.has_value()) return std::optional<OperationRecord>();
  return std::optional<OperationRecord>(TRY(FromRow(*row)));
}

Result<Page<CheckpointRecord>> Inventory::ListCheckpoints(
    std::string_view token, int limit, const std::vector<CheckpointState>& states) {
  return ReadPage<CheckpointRecord>(token, limit, [&](const store::Cursor& after, int count) {
    return store_->ListCheckpoints(after, count, Names(states));
  });
}

Result<Page<ContainerRecord>> Inventory::ListContainers(std::string_view token, int limit,
                                                        const std::vector<ContainerState>& states) {
  return ReadPage<ContainerRecord>(token, limit, [&](const store::Cursor& after, int count) {
    return store_->ListContainers(after, count, Names(states));
  });
}

Result<Page<OperationRecord>> Inventory::ListOperations(std::string_view token, int limit,
                                                        const std::vector<OperationState>& states) {
  return ReadPage<OperationRecord>(token, limit, [&](const store::Cursor& after, int count) {
    return store_->ListOperations(after, count, Names(states));
  });
}

Result<std::vector<ContainerId>> Inventory::ListRestores(const CheckpointId& id) {
  std::vector<ContainerId> ids;
  for (std::string& text : TRY(store_->ListRestores(id.str()))) ids.emplace_back(std::move(text));
  return ids;
}

Result<NetworkRecord> Inventory::FindNetwork(std::string_view name) {
  const auto row = TRY(store_->GetNetwork(name));
  if (!row.has_value()) return errors::NetworkNotFound(name);
  return FromRow(*row);
}

Result<std::vector<NetworkRecord>> Inventory::ListNetworks() {
  return Typed<NetworkRecord>(TRY(store_->ListNetworks()));
}

Result<ReservationRecord> Inventory::FindReservation(std::string_view key) {
  return Single<ReservationRecord>(TRY(store_->MatchReservations(key)), "reservation", key,
                                   errors::ReservationNotFound);
}

Result<Page<ReservationRecord>> Inventory::ListReservations(
    std::string_view token, int limit, const std::vector<ReservationState>& states) {
  return ReadPage<ReservationRecord>(token, limit, [&](const store::Cursor& after, int count) {
    return store_->ListReservations(after, count, Names(states));
  });
}

Result<std::vector<ReservationRecord>> Inventory::FindClaimed(
    const store::Store::ReservationClaims& claims) {
  return Typed<ReservationRecord>(TRY(store_->FindReservations(claims)));
}

Result<std::vector<ReservationRecord>> Inventory::ListReservationsOf(const CheckpointId& id) {
  return Typed<ReservationRecord>(TRY(store_->ListReservationsOfCheckpoint(id.str())));
}

Result<std::vector<ReservationRecord>> Inventory::ListReservationsOf(const ContainerId& id) {
  return Typed<ReservationRecord>(TRY(store_->ListReservationsOfContainer(id.str())));
}

Result<std::vector<std::string>> Inventory::ListReservedAddresses(const std::string& network) {
  return store_->ListReservedAddresses(network);
}

Result<std::vector<Event>> Inventory::ListEvents(std::int64_t after, int limit) {
  return store_->ListEvents(after, limit);
}

Result<std::int64_t> Inventory::CountCheckpoints(const std::vector<CheckpointState>& states) {
  return store_->CountCheckpoints(Names(states));
}

Result<std::int64_t> Inventory::CountContainers(const std::vector<ContainerState>& states) {
  return store_->CountContainers(Names(states));
}

}  // namespace crd
