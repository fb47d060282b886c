#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/core/engine.h"
#include "daemon/core/inventory.h"
#include "daemon/core/operation.h"

namespace crd::rpc {

// Operations as clients see them. An operation is in the inventory only once it has begun to change
// something, and what is there of one that runs is old: those that run are asked themselves.

struct OperationView {
  OperationRecord record;
  std::optional<Progress> progress;  // while it runs
};

// Newest first; without `all` only what runs. Any thread.
Result<Page<OperationView>> ListOperations(Engine& engine, const std::string& token, int limit,
                                           bool all);
// By id or unique prefix of it; OPERATION_NOT_FOUND, KEY_AMBIGUOUS. Any thread.
Result<OperationView> FindOperation(Engine& engine, const std::string& key);

// Puts the operations that run where they belong on the page of at most `limit` that `token` asked
// for and that the inventory answered with `rows`. Of an operation in both the living one counts:
// the row tells of its end a moment before what it had (files, claims) is free again. Pure.
Page<OperationView> MergeRunning(Page<OperationRecord> rows, const std::vector<OperationView>& live,
                                 std::string_view token, int limit);

}  // namespace crd::rpc
