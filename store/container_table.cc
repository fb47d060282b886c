#include "store/container_table.h"

// A macro, for only literals can be joined at compile time.
#define SELECT_CONTAINER                                                              \
  "SELECT id, name, state, pid, start_time, boot_id, command, parent_checkpoint_id, " \
  "last_checkpoint_id, created_us, started_us, ended_us, exit_code, exit_signal, "    \
  "log_path, problem FROM containers "

namespace crd::store {

constexpr std::string_view ContainerTable::kPut = R"sql(
INSERT INTO containers (id, name, state, pid, start_time, boot_id, command, parent_checkpoint_id,
  last_checkpoint_id, created_us, started_us, ended_us, exit_code, exit_signal,
  log_path, problem)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
ON CONFLICT (id) DO UPDATE SET
  name = excluded.name, state = excluded.state, pid = excluded.pid,
  start_time = excluded.start_time, boot_id = excluded.boot_id, command = excluded.command,
  parent_checkpoint_id = excluded.parent_checkpoint_id,
  last_checkpoint_id = excluded.last_checkpoint_id, created_us = excluded.created_us,
  started_us = excluded.started_us, ended_us = excluded.ended_us, exit_code = excluded.exit_code,
  exit_signal = excluded.exit_signal, log_path = excluded.log_path, problem = excluded.problem)sql";

constexpr std::string_view ContainerTable::kDelete = "DELETE FROM containers WHERE id = ?1";

constexpr std::string_view ContainerTable::kGet = SELECT_CONTAINER "WHERE id = ?1";

// The condition of the partial index is repeated, or SQLite does not use it.
constexpr std::string_view ContainerTable::kHolder =
    "SELECT id FROM containers WHERE name = ?1 AND name <> ''";

constexpr std::array<std::string_view, 2> ContainerTable::kExact = {
    kGet, SELECT_CONTAINER "WHERE name = ?1 AND name <> ''"};

constexpr std::string_view ContainerTable::kPrefix =
    SELECT_CONTAINER "WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";

constexpr std::string_view ContainerTable::kList =
    SELECT_CONTAINER "WHERE (created_us, id) < (?1, ?2) ORDER BY created_us DESC, id DESC LIMIT ?3";

constexpr std::string_view ContainerTable::kListState = SELECT_CONTAINER R"sql(
WHERE state = ?4 AND (created_us, id) < (?1, ?2)
ORDER BY created_us DESC, id DESC LIMIT ?3)sql";

constexpr std::string_view ContainerTable::kCount = "SELECT count(*) FROM containers";

constexpr std::string_view ContainerTable::kCountState =
    "SELECT count(*) FROM containers WHERE state = ?1";

constexpr std::string_view ContainerTable::kRestores = R"sql(
SELECT id FROM containers
WHERE parent_checkpoint_id = ?1 AND parent_checkpoint_id <> ''
ORDER BY created_us DESC, id DESC)sql";

void ContainerTable::Bind(Statement& statement, const Row& row) {
  statement.BindAll(row.id, row.name, row.state, row.pid, row.start_time, row.boot_id, row.command,
                    row.parent_checkpoint_id, row.last_checkpoint_id, row.created_us,
                    row.started_us, row.ended_us, row.exit_code, row.exit_signal, row.log_path,
                    row.problem);
}

ContainerRow ContainerTable::Read(Columns columns) {
  return ContainerRow{.id = columns.Text(),
                      .name = columns.Text(),
                      .state = columns.Text(),
                      .pid = columns.Integer(),
                      .start_time = columns.Integer(),
                      .boot_id = columns.Text(),
                      .command = columns.Text(),
                      .parent_checkpoint_id = columns.Text(),
                      .last_checkpoint_id = columns.Text(),
                      .created_us = columns.Integer(),
                      .started_us = columns.Integer(),
                      .ended_us = columns.Integer(),
                      .exit_code = columns.OptionalInteger(),
                      .exit_signal = columns.OptionalInteger(),
                      .log_path = columns.Text(),
                      .problem = columns.Text()};
}

}  // namespace crd::store
