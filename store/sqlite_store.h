#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/database.h"
#include "store/store.h"

namespace crd::store {

// The Store on a Database whose schema is the newest.
class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<std::vector<EventRow>> Write(const Change& change) override;

  Result<std::optional<CheckpointRow>> GetCheckpoint(std::string_view id) override;
  Result<std::optional<ContainerRow>> GetContainer(std::string_view id) override;
  Result<std::optional<OperationRow>> GetOperation(std::string_view id) override;
  Result<std::optional<OperationRow>> FindRequest(std::string_view request_id) override;

  Result<std::vector<CheckpointRow>> MatchCheckpoints(std::string_view key) override;
  Result<std::vector<ContainerRow>> MatchContainers(std::string_view key) override;
  Result<std::vector<OperationRow>> MatchOperations(std::string_view key) override;

  Result<std::vector<CheckpointRow>> ListCheckpoints(
      const Cursor& after, int limit, const std::vector<std::string>& states) override;
  Result<std::vector<ContainerRow>> ListContainers(const Cursor& after, int limit,
                                                   const std::vector<std::string>& states) override;
  Result<std::vector<OperationRow>> ListOperations(const Cursor& after, int limit,
                                                   const std::vector<std::string>& states) override;

  Result<std::vector<std::string>> ListRestores(std::string_view checkpoint_id) override;

  Result<std::vector<EventRow>> ListEvents(std::int64_t sequence, int limit) override;
  Result<std::int64_t> LastEventSequence() override;

  Result<std::optional<NetworkRow>> GetNetwork(std::string_view name) override;
  Result<std::vector<NetworkRow>> ListNetworks() override;
  Result<std::vector<ReservationRow>> ListReservations(
      const Cursor& after, int limit, const std::vector<std::string>& states) override;
  Result<std::vector<ReservationRow>> MatchReservations(std::string_view key) override;
  Result<std::vector<ReservationRow>> FindReservations(const ReservationClaims& claims) override;
  Result<std::vector<ReservationRow>> ListReservationsOfCheckpoint(
      std::string_view checkpoint_id) override;
  Result<std::vector<ReservationRow>> ListReservationsOfContainer(
      std::string_view container_id) override;
  Result<std::vector<std::string>> ListReservedAddresses(std::string_view network) override;

  Result<std::int64_t> CountCheckpoints(const std::vector<std::string>& states) override;
  Result<std::int64_t> CountContainers(const std::vector<std::string>& states) override;

 private:
  // Ended operations between two prunings, and so how many more than wanted there may be.
  static constexpr int kOperationsPerPruning = 128;

  Result<void> WriteRows(const Change& change);
  // Operations have no numbers without gaps: finding the oldest that may stay takes a look at all
  // of them, so it is done once for many.
  Result<int> PruneOperations(int ended);

  std::mutex mutex_;  // everything below
  std::unique_ptr<Database> database_;
  int ended_since_prune_ = kOperationsPerPruning;  // a past process may have left some
};

}  // namespace crd::store
