#include "store/checkpoint_table.h"

// A macro, for only literals can be joined at compile time.
#define SELECT_CHECKPOINT                                                                 \
  "SELECT id, name, state, pid, command, processes, container_id, created_us, ready_us, " \
  "size_bytes, options, statistics, stages, criu_version, kernel_release, host, "         \
  "problem, network_lock FROM checkpoints "

namespace crd::store {

constexpr std::string_view CheckpointTable::kPut = R"sql(
INSERT INTO checkpoints (id, name, state, pid, command, processes, container_id, created_us,
  ready_us, size_bytes, options, statistics, stages, criu_version, kernel_release, host,
  problem, network_lock)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT (id) DO UPDATE SET
  name = excluded.name, state = excluded.state, pid = excluded.pid, command = excluded.command,
  processes = excluded.processes, container_id = excluded.container_id,
  created_us = excluded.created_us, ready_us = excluded.ready_us,
  size_bytes = excluded.size_bytes, options = excluded.options, statistics = excluded.statistics,
  stages = excluded.stages, criu_version = excluded.criu_version,
  kernel_release = excluded.kernel_release, host = excluded.host,
  problem = excluded.problem, network_lock = excluded.network_lock)sql";

constexpr std::string_view CheckpointTable::kDelete = "DELETE FROM checkpoints WHERE id = ?1";

constexpr std::string_view CheckpointTable::kGet = SELECT_CHECKPOINT "WHERE id = ?1";

// The conditions of the partial indexes are repeated word by word, or SQLite does not use them.
constexpr std::string_view CheckpointTable::kHolder = R"sql(
SELECT id FROM checkpoints
WHERE name = ?1 AND name <> '' AND state IN ('creating', 'ready', 'damaged', 'deleting'))sql";

constexpr std::array<std::string_view, 3> CheckpointTable::kExact = {
    kGet,
    SELECT_CHECKPOINT
    "WHERE name = ?1 AND name <> '' AND state IN ('creating', 'ready', 'damaged', 'deleting')",
    SELECT_CHECKPOINT "WHERE name = ?1 AND name <> '' ORDER BY created_us DESC, id DESC LIMIT 1"};

constexpr std::string_view CheckpointTable::kPrefix =
    SELECT_CHECKPOINT "WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";

constexpr std::string_view CheckpointTable::kList = SELECT_CHECKPOINT
    "WHERE (created_us, id) < (?1, ?2) ORDER BY created_us DESC, id DESC LIMIT ?3";

constexpr std::string_view CheckpointTable::kListState = SELECT_CHECKPOINT R"sql(
WHERE state = ?4 AND (created_us, id) < (?1, ?2)
ORDER BY created_us DESC, id DESC LIMIT ?3)sql";

constexpr std::string_view CheckpointTable::kCount = "SELECT count(*) FROM checkpoints";

constexpr std::string_view CheckpointTable::kCountState =
    "SELECT count(*) FROM checkpoints WHERE state = ?1";

void CheckpointTable::Bind(Statement& statement, const Row& row) {
  statement.BindAll(row.id, row.name, row.state, row.pid, row.command, row.processes,
                    row.container_id, row.created_us, row.ready_us, row.size_bytes, row.options,
                    row.statistics, row.stages, row.criu_version, row.kernel_release, row.host,
                    row.problem, row.network_lock);
}

CheckpointRow CheckpointTable::Read(Columns columns) {
  return CheckpointRow{.id = columns.Text(),
                       .name = columns.Text(),
                       .state = columns.Text(),
                       .pid = columns.Integer(),
                       .command = columns.Text(),
                       .processes = columns.Integer(),
                       .container_id = columns.Text(),
                       .created_us = columns.Integer(),
                       .ready_us = columns.Integer(),
                       .size_bytes = columns.Integer(),
                       .options = columns.Text(),
                       .statistics = columns.Text(),
                       .stages = columns.Text(),
                       .criu_version = columns.Text(),
                       .kernel_release = columns.Text(),
                       .host = columns.Text(),
                       .problem = columns.Text(),
                       .network_lock = columns.Text()};
}

}  // namespace crd::store
