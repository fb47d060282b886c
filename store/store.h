#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "store/rows.h"

namespace crd::store {

// The inventory on disk: one SQLite connection behind one mutex. Any thread may call; no call waits
// for anything but the disk. Every write is durable when it returns (WAL, synchronous=FULL), unless
// it asks to be synced with the next.
//
// Fails with kAlreadyExists when a name or request id is taken (NAME_TAKEN, REQUEST_ID_TAKEN), or
// what a reservation or network claims (RESERVATION_CONFLICT, NETWORK_EXISTS),
// kResourceExhausted when the disk is full (STORE_FULL), kFailedPrecondition when it is read-only,
// cannot be opened, is used by another process, of a newer schema or not ours (STORE_READ_ONLY,
// STORE_CANNOT_OPEN, STORE_IN_USE, STORE_NEWER, STORE_FOREIGN), kDataLoss when the file is damaged
// (STORE_DAMAGED), kInternal when the disk fails. A Write that fails has changed nothing.
class Store {
 public:
  // Opens or creates the database (0600) and migrates it. Only one process may have it open.
  static Result<std::unique_ptr<Store>> Open(const std::string& path);

  virtual ~Store() = default;

  // Writes the change in one transaction: deletions first, then the rows in the order given (so a
  // name can move on within one change), then the events. Keeps the newest 10,000 events and ended
  // operations (of these, up to 128 more for a while), and 1,000 ended reservations. Returns the
  // events with the sequence numbers they got.
  virtual Result<std::vector<EventRow>> Write(const Change& change) = 0;

  virtual Result<std::optional<CheckpointRow>> GetCheckpoint(std::string_view id) = 0;
  virtual Result<std::optional<ContainerRow>> GetContainer(std::string_view id) = 0;
  virtual Result<std::optional<OperationRow>> GetOperation(std::string_view id) = 0;
  virtual Result<std::optional<OperationRow>> FindRequest(std::string_view request_id) = 0;

  // Those that the key may mean: the one with this id; else the one with this name; else at most
  // `kMaxMatches` whose id begins with it. A failed checkpoint has lost its name to whoever wants
  // it; as long as nobody holds the name it means the newest that had it. Nothing matches "".
  static constexpr int kMaxMatches = 8;
  virtual Result<std::vector<CheckpointRow>> MatchCheckpoints(std::string_view key) = 0;
  virtual Result<std::vector<ContainerRow>> MatchContainers(std::string_view key) = 0;
  virtual Result<std::vector<OperationRow>> MatchOperations(std::string_view key) = 0;

  // Newest first. `states` empty: all of them.
  virtual Result<std::vector<CheckpointRow>> ListCheckpoints(
      const Cursor& after, int limit, const std::vector<std::string>& states) = 0;
  virtual Result<std::vector<ContainerRow>> ListContainers(
      const Cursor& after, int limit, const std::vector<std::string>& states) = 0;
  virtual Result<std::vector<OperationRow>> ListOperations(
      const Cursor& after, int limit, const std::vector<std::string>& states) = 0;

  // Ids of containers restored from a checkpoint, newest first.
  virtual Result<std::vector<std::string>> ListRestores(std::string_view checkpoint_id) = 0;

  // Events behind `sequence`, oldest first.
  virtual Result<std::vector<EventRow>> ListEvents(std::int64_t sequence, int limit) = 0;
  // The sequence number of the newest event ever written, 0 if none.
  virtual Result<std::int64_t> LastEventSequence() = 0;

  virtual Result<std::optional<NetworkRow>> GetNetwork(std::string_view name) = 0;
  // By name; there are few.
  virtual Result<std::vector<NetworkRow>> ListNetworks() = 0;

  // Newest first, as above; also ended ones.
  virtual Result<std::vector<ReservationRow>> ListReservations(
      const Cursor& after, int limit, const std::vector<std::string>& states) = 0;
  // Reservations with this id, or at most kMaxMatches whose id begins so.
  virtual Result<std::vector<ReservationRow>> MatchReservations(std::string_view key) = 0;
  // Those, active or held, that have one of these; empty texts find nothing. Oldest first.
  struct ReservationClaims {
    std::string network;  // of the MAC and the addresses
    std::string mac;
    std::string host_interface;
    std::vector<std::string> addresses;
  };
  virtual Result<std::vector<ReservationRow>> FindReservations(const ReservationClaims& claims) = 0;
  // Those of a checkpoint, of a container; also ended ones, oldest first.
  virtual Result<std::vector<ReservationRow>> ListReservationsOfCheckpoint(
      std::string_view checkpoint_id) = 0;
  virtual Result<std::vector<ReservationRow>> ListReservationsOfContainer(
      std::string_view container_id) = 0;
  // The addresses of a network that somebody has.
  virtual Result<std::vector<std::string>> ListReservedAddresses(std::string_view network) = 0;

  virtual Result<std::int64_t> CountCheckpoints(const std::vector<std::string>& states) = 0;
  virtual Result<std::int64_t> CountContainers(const std::vector<std::string>& states) = 0;
};

}  // namespace crd::store
