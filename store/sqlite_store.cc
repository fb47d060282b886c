#include "store/sqlite_store.h"

#include <algorithm>

#include "store/checkpoint_table.h"
#include "store/container_table.h"
#include "store/event_table.h"
#include "store/migrations.h"
#include "store/network_table.h"
#include "store/operation_table.h"
#include "store/reservation_table.h"
#include "store/table.h"
#include "store/transaction.h"

namespace crd::store {
namespace {

constexpr int kKeptEvents = 10'000;
constexpr int kKeptOperations = 10'000;

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  std::unique_ptr<Database> database = TRY(Database::Open(path));
  TRY(Migrate(*database));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(database)));
}

Result<void> SqliteStore::WriteRows(const Change& change) {
  // Deletions first: they free names that the rows may want.
  for (const std::string& id : change.deleted_checkpoints) {
    TRY(Delete<CheckpointTable>(*database_, id));
  }
  for (const std::string& id : change.deleted_containers) {
    TRY(Delete<ContainerTable>(*database_, id));
  }
  for (const std::string& name : change.deleted_networks) TRY(DeleteNetwork(*database_, name));
  for (const CheckpointRow& row : change.checkpoints) TRY(Put<CheckpointTable>(*database_, row));
  for (const ContainerRow& row : change.containers) TRY(Put<ContainerTable>(*database_, row));
  for (const OperationRow& row : change.operations) TRY(Put<OperationTable>(*database_, row));
  for (const NetworkRow& row : change.networks) TRY(PutNetwork(*database_, row));
  return PutReservations(*database_, change.reservations);
}

Result<int> SqliteStore::PruneOperations(int ended) {
  if (ended < kOperationsPerPruning) return ended;
  Statement statement = TRY(database_->Prepare(OperationTable::kPrune));
  statement.BindAll(kKeptOperations);
  TRY(statement.Run().Annotate("prune old operations"));
  return 0;
}

Result<std::vector<EventRow>> SqliteStore::Write(const Change& change) {
  const std::lock_guard lock(mutex_);
  TRY(database_->SetSync(!change.sync_with_next));
  Transaction transaction = TRY(Transaction::Begin(*database_));
  TRY(WriteRows(change));
  std::vector<EventRow> events = TRY(AppendEvents(*database_, change.events));
  if (!events.empty()) TRY(PruneEvents(*database_, kKeptEvents));
  const auto ended = std::count_if(change.operations.begin(), change.operations.end(),
                                   [](const OperationRow& row) { return row.ended_us > 0; });
  const int unpruned = TRY(PruneOperations(ended_since_prune_ + static_cast<int>(ended)));
  TRY(transaction.Commit());
  ended_since_prune_ = unpruned;
  return events;
}

Result<std::optional<CheckpointRow>> SqliteStore::GetCheckpoint(std::string_view id) {
  const std::lock_guard lock(mutex_);
  return Find<CheckpointTable>(*database_, CheckpointTable::kGet, id);
}

Result<std::optional<ContainerRow>> SqliteStore::GetContainer(std::string_view id) {
  const std::lock_guard lock(mutex_);
  return Find<ContainerTable>(*database_, ContainerTable::kGet, id);
}

Result<std::optional<OperationRow>> SqliteStore::GetOperation(std::string_view id) {
  const std::lock_guard lock(mutex_);
  return Find<OperationTable>(*database_, OperationTable::kGet, id);
}

Result<std::optional<OperationRow>> SqliteStore::FindRequest(std::string_view request_id) {
  const std::lock_guard lock(mutex_);
  return Find<OperationTable>(*database_, OperationTable::kByRequest, request_id);
}

Result<std::vector<CheckpointRow>> SqliteStore::MatchCheckpoints(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return Match<CheckpointTable>(*database_, key, kMaxMatches);
}

Result<std::vector<ContainerRow>> SqliteStore::MatchContainers(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return Match<ContainerTable>(*database_, key, kMaxMatches);
}

Result<std::vector<OperationRow>> SqliteStore::MatchOperations(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return Match<OperationTable>(*database_, key, kMaxMatches);
}

Result<std::vector<CheckpointRow>> SqliteStore::ListCheckpoints(
    const Cursor& after, int limit, const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return List<CheckpointTable>(*database_, after, limit, states);
}

Result<std::vector<ContainerRow>> SqliteStore::ListContainers(
    const Cursor& after, int limit, const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return List<ContainerTable>(*database_, after, limit, states);
}

Result<std::vector<OperationRow>> SqliteStore::ListOperations(
    const Cursor& after, int limit, const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return List<OperationTable>(*database_, after, limit, states);
}

Result<std::vector<std::string>> SqliteStore::ListRestores(std::string_view checkpoint_id) {
  const std::lock_guard lock(mutex_);
  Statement statement = TRY(database_->Prepare(ContainerTable::kRestores));
  statement.BindAll(checkpoint_id);
  std::vector<std::string> ids;
  while (TRY(statement.Step())) ids.push_back(statement.Text(0));
  return ids;
}

Result<std::vector<EventRow>> SqliteStore::ListEvents(std::int64_t sequence, int limit) {
  const std::lock_guard lock(mutex_);
  return EventsBehind(*database_, sequence, limit);
}

Result<std::int64_t> SqliteStore::LastEventSequence() {
  const std::lock_guard lock(mutex_);
  return NewestEvent(*database_);
}

Result<std::optional<NetworkRow>> SqliteStore::GetNetwork(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return store::GetNetwork(*database_, name);
}

Result<std::vector<NetworkRow>> SqliteStore::ListNetworks() {
  const std::lock_guard lock(mutex_);
  return AllNetworks(*database_);
}

Result<std::vector<ReservationRow>> SqliteStore::ListReservations(
    const Cursor& after, int limit, const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return List<ReservationTable>(*database_, after, limit, states);
}

Result<std::vector<ReservationRow>> SqliteStore::MatchReservations(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return Match<ReservationTable>(*database_, key, kMaxMatches);
}

Result<std::vector<ReservationRow>> SqliteStore::FindReservations(const ReservationClaims& claims) {
  const std::lock_guard lock(mutex_);
  return store::FindReservations(*database_, claims);
}

Result<std::vector<ReservationRow>> SqliteStore::ListReservationsOfCheckpoint(
    std::string_view checkpoint_id) {
  const std::lock_guard lock(mutex_);
  return ReservationsWith(*database_, ReservationTable::kByCheckpoint, checkpoint_id);
}

Result<std::vector<ReservationRow>> SqliteStore::ListReservationsOfContainer(
    std::string_view container_id) {
  const std::lock_guard lock(mutex_);
  return ReservationsWith(*database_, ReservationTable::kByContainer, container_id);
}

Result<std::vector<std::string>> SqliteStore::ListReservedAddresses(std::string_view network) {
  const std::lock_guard lock(mutex_);
  return ReservedAddresses(*database_, network);
}

Result<std::int64_t> SqliteStore::CountCheckpoints(const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return Count<CheckpointTable>(*database_, states);
}

Result<std::int64_t> SqliteStore::CountContainers(const std::vector<std::string>& states) {
  const std::lock_guard lock(mutex_);
  return Count<ContainerTable>(*database_, states);
}

}  // namespace crd::store
