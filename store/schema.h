#pragma once

#include <cstdint>

namespace crd::store {

// What the header of the file says: "crd\0". Seen by file(1) and by Migrate().
inline constexpr std::int64_t kApplicationId = 0x63726400;

//   checkpoints ◄─ ─ ─ parent_checkpoint_id ─ ─ ─ containers
//     id  PK           last_checkpoint_id           id  PK
//     name (unique     container_id ─ ─ ─ ─ ─ ─ ─ ► name (unique if not empty)
//       while alive)                                pid + start_time + boot_id: one process
//        ▲                                          exit_code, exit_signal: NULL if unknown
//        ╎                                              ▲
//        └ ─ checkpoint_id ─ ─ operations ─ ─ container_id
//                                id  PK
//                                request_id (unique if not empty)
//
//   networks ◄─ ─ network ─ ─ reservations ─ ─ checkpoint_id, container_id: whose it is
//     name  PK                   id  PK
//     bridge (unique)            mac (unique in its network), host_interface (unique) while live
//                                   ▲
//                                   └── reservation_addresses
//                                         (network, address)  PK: only of live ones
//
//   events  sequence PK, what happened to which of the above
//
// The broken lines are no foreign keys, on purpose: history outlives what it speaks of (a container
// still names the checkpoint it came from when that was deleted), and '' stands for "none".
//
// Times are microseconds since the epoch, 0 if it has not happened. Texts are bytes, normally
// UTF-8. The *_by_age indexes carry what lists filter by, so that a row is read only to be
// returned. Only checkpoints in one of the four states hold their name: a failed one keeps the
// text, not the claim.
inline constexpr char kSchemaVersion1[] = R"sql(
CREATE TABLE checkpoints (
  id             TEXT    NOT NULL PRIMARY KEY,
  name           TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  pid            INTEGER NOT NULL,
  command        TEXT    NOT NULL,
  processes      INTEGER NOT NULL,
  container_id   TEXT    NOT NULL,
  created_us     INTEGER NOT NULL,
  ready_us       INTEGER NOT NULL,
  size_bytes     INTEGER NOT NULL,
  options        TEXT    NOT NULL,
  statistics     TEXT    NOT NULL,
  stages         TEXT    NOT NULL,
  criu_version   TEXT    NOT NULL,
  kernel_release TEXT    NOT NULL,
  host           TEXT    NOT NULL,
  problem        TEXT    NOT NULL,
  network_lock   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX checkpoints_name_held ON checkpoints (name)
  WHERE name <> '' AND state IN ('creating', 'ready', 'damaged', 'deleting');
CREATE INDEX checkpoints_by_name ON checkpoints (name, created_us, id) WHERE name <> '';
CREATE INDEX checkpoints_by_age ON checkpoints (created_us, id);
CREATE INDEX checkpoints_by_state ON checkpoints (state, created_us, id);

CREATE TABLE containers (
  id                   TEXT    NOT NULL PRIMARY KEY,
  name                 TEXT    NOT NULL,
  state                TEXT    NOT NULL,
  pid                  INTEGER NOT NULL,
  start_time           INTEGER NOT NULL,
  boot_id              TEXT    NOT NULL,
  command              TEXT    NOT NULL,
  parent_checkpoint_id TEXT    NOT NULL,
  last_checkpoint_id   TEXT    NOT NULL,
  created_us           INTEGER NOT NULL,
  started_us           INTEGER NOT NULL,
  ended_us             INTEGER NOT NULL,
  exit_code            INTEGER,
  exit_signal          INTEGER,
  log_path             TEXT    NOT NULL,
  problem              TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX containers_name ON containers (name) WHERE name <> '';
CREATE INDEX containers_by_age ON containers (created_us, id);
CREATE INDEX containers_by_state ON containers (state, created_us, id);
CREATE INDEX containers_by_parent ON containers (parent_checkpoint_id, created_us, id)
  WHERE parent_checkpoint_id <> '';

CREATE TABLE operations (
  id            TEXT    NOT NULL PRIMARY KEY,
  request_id    TEXT    NOT NULL,
  request       TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  state         TEXT    NOT NULL,
  checkpoint_id TEXT    NOT NULL,
  container_id  TEXT    NOT NULL,
  stage         TEXT    NOT NULL,
  created_us    INTEGER NOT NULL,
  ended_us      INTEGER NOT NULL,
  error         TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX operations_request_id ON operations (request_id) WHERE request_id <> '';
CREATE INDEX operations_by_age ON operations (created_us, id, ended_us);
CREATE INDEX operations_by_state ON operations (state, created_us, id);

CREATE TABLE events (
  sequence INTEGER NOT NULL PRIMARY KEY,
  time_us  INTEGER NOT NULL,
  subject  TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  change   TEXT    NOT NULL,
  detail   TEXT    NOT NULL
) STRICT;
)sql";

// Live is a reservation that is active or held: what it claims is nobody else's. That no two have
// the same is for these indexes to see to, whoever writes. Interfaces' names are the host's.
inline constexpr char kSchemaVersion2[] = R"sql(
CREATE TABLE networks (
  name       TEXT    NOT NULL PRIMARY KEY,
  bridge     TEXT    NOT NULL,
  subnets    TEXT    NOT NULL,
  origin     TEXT    NOT NULL,
  created_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX networks_bridge ON networks (bridge);

CREATE TABLE reservations (
  id             TEXT    NOT NULL PRIMARY KEY,
  network        TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  keeping        TEXT    NOT NULL,
  interface      TEXT    NOT NULL,
  host_interface TEXT    NOT NULL,
  mac            TEXT    NOT NULL,
  addresses      TEXT    NOT NULL,
  holder         TEXT    NOT NULL,
  checkpoint_id  TEXT    NOT NULL,
  container_id   TEXT    NOT NULL,
  created_us     INTEGER NOT NULL,
  changed_us     INTEGER NOT NULL,
  expires_us     INTEGER NOT NULL,
  problem        TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX reservations_mac ON reservations (network, mac)
  WHERE mac <> '' AND state IN ('active', 'held');
CREATE UNIQUE INDEX reservations_host_interface ON reservations (host_interface)
  WHERE host_interface <> '' AND state IN ('active', 'held');
CREATE INDEX reservations_by_age ON reservations (created_us, id);
CREATE INDEX reservations_by_state ON reservations (state, created_us, id);
CREATE INDEX reservations_by_checkpoint ON reservations (checkpoint_id) WHERE checkpoint_id <> '';
CREATE INDEX reservations_by_container ON reservations (container_id) WHERE container_id <> '';

CREATE TABLE reservation_addresses (
  network        TEXT NOT NULL,
  address        TEXT NOT NULL,
  reservation_id TEXT NOT NULL REFERENCES reservations (id) ON DELETE CASCADE,
  PRIMARY KEY (network, address)
) STRICT;
CREATE INDEX reservation_addresses_by_reservation ON reservation_addresses (reservation_id);
)sql";

}  // namespace crd::store
