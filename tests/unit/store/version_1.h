#pragma once

namespace crd::store {

// A database as version 1 of the schema left it. Never edit this: it stands for files out there.
inline constexpr char kVersion1[] = R"sql(
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

PRAGMA application_id = 0x63726400;
PRAGMA user_version = 1;
)sql";

inline constexpr char kVersion1Rows[] = R"sql(
INSERT INTO checkpoints VALUES ('c1', 'web', 'ready', 2, 'sleep', 3, 'k1', 4, 5, 6, '{}', '{}',
  '[]', '3.17.1', '6.1.0', 'host', '', 'nftables');
INSERT INTO containers VALUES ('k1', 'web', 'exited', 2, 3, 'boot', 'sleep', 'c1', 'c2', 4, 5, 6, 3,
  NULL, '/log', '');
INSERT INTO operations VALUES ('o1', 'r1', '{}', 'checkpoint', 'done', 'c1', 'k1', 'commit', 4, 5,
  '');
INSERT INTO events VALUES (7, 8, 'checkpoint', 'c1', 'ready', '');
)sql";

}  // namespace crd::store
