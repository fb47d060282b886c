#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "store/store.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::store {

// A store in a directory of its own.
class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(path()));
  }

  [[nodiscard]] std::string path() const { return directory_ / "crd.db"; }
  Store& store() { return *store_; }

  testing::TempDir directory_;
  std::unique_ptr<Store> store_;
};

inline CheckpointRow Checkpoint(std::string id, std::string name = "", std::string state = "ready",
                                std::int64_t created_us = 1) {
  return CheckpointRow{.id = std::move(id),
                       .name = std::move(name),
                       .state = std::move(state),
                       .created_us = created_us};
}

inline ContainerRow Container(std::string id, std::string name = "", std::int64_t created_us = 1) {
  return ContainerRow{
      .id = std::move(id), .name = std::move(name), .state = "running", .created_us = created_us};
}

inline OperationRow Operation(std::string id, std::string request_id = "",
                              std::int64_t created_us = 1, std::int64_t ended_us = 0) {
  return OperationRow{.id = std::move(id),
                      .request_id = std::move(request_id),
                      .state = ended_us > 0 ? "done" : "running",
                      .created_us = created_us,
                      .ended_us = ended_us};
}

// An id as crd gives them: 16 hexadecimal digits.
inline std::string HexId(std::uint64_t number) { return fmt::format("{:016x}", number); }

template <typename Row>
std::vector<std::string> Ids(const std::vector<Row>& rows) {
  std::vector<std::string> ids;
  ids.reserve(rows.size());
  for (const Row& row : rows) ids.push_back(row.id);
  return ids;
}

}  // namespace crd::store
