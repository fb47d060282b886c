#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crd::store {

// What the database holds, in its own words: plain values without behaviour. Times are microseconds
// since the epoch. The meaning of states and of the JSON texts belongs to core.

struct CheckpointRow {
  std::string id;
  std::string name;  // empty: none
  std::string state;
  std::int64_t pid = 0;
  std::string command;
  std::int64_t processes = 0;
  std::string container_id;
  std::int64_t created_us = 0;
  std::int64_t ready_us = 0;
  std::int64_t size_bytes = 0;
  std::string options;     // JSON object
  std::string statistics;  // JSON object
  std::string stages;      // JSON array
  std::string criu_version;
  std::string kernel_release;
  std::string host;
  std::string problem;
  std::string network_lock;
  bool operator==(const CheckpointRow&) const = default;
};

struct ContainerRow {
  std::string id;
  std::string name;
  std::string state;
  std::int64_t pid = 0;
  std::int64_t start_time = 0;
  std::string boot_id;
  std::string command;
  std::string parent_checkpoint_id;
  std::string last_checkpoint_id;
  std::int64_t created_us = 0;
  std::int64_t started_us = 0;
  std::int64_t ended_us = 0;
  std::optional<std::int64_t> exit_code;
  std::optional<std::int64_t> exit_signal;
  std::string log_path;
  std::string problem;
  bool operator==(const ContainerRow&) const = default;
};

struct OperationRow {
  std::string id;
  std::string request_id;  // empty: none
  std::string request;     // JSON object: what was asked, to tell a retry from another request
  std::string kind;
  std::string state;
  std::string checkpoint_id;
  std::string container_id;
  std::string stage;
  std::int64_t created_us = 0;
  std::int64_t ended_us = 0;
  std::string error;  // JSON object, empty if none
  bool operator==(const OperationRow&) const = default;
};

struct EventRow {
  std::int64_t sequence = 0;  // given by the database
  std::int64_t time_us = 0;
  std::string subject;
  std::string id;
  std::string change;
  std::string detail;
  bool operator==(const EventRow&) const = default;
};

// A bridge and its subnets.
struct NetworkRow {
  std::string name;
  std::string bridge;
  std::string subnets;  // JSON array
  std::string origin;
  std::int64_t created_us = 0;
  bool operator==(const NetworkRow&) const = default;
};

// The claim of somebody to the names and addresses of one endpoint of a network.
struct ReservationRow {
  std::string id;
  std::string network;
  std::string state;
  std::string keeping;
  std::string interface;
  std::string host_interface;          // empty: none
  std::string mac;                     // empty: none
  std::vector<std::string> addresses;  // each as inet_ntop(3) writes it
  std::string holder;                  // empty: a checkpoint or container
  std::string checkpoint_id;
  std::string container_id;
  std::int64_t created_us = 0;
  std::int64_t changed_us = 0;
  std::int64_t expires_us = 0;  // 0: never
  std::string problem;
  bool operator==(const ReservationRow&) const = default;
};

// One state change: everything in it is written in one transaction or not at all.
struct Change {
  std::vector<CheckpointRow> checkpoints;    // inserted or replaced
  std::vector<ContainerRow> containers;      // inserted or replaced
  std::vector<OperationRow> operations;      // inserted or replaced
  std::vector<NetworkRow> networks;          // inserted or replaced
  std::vector<ReservationRow> reservations;  // inserted or replaced
  std::vector<std::string> deleted_checkpoints;
  std::vector<std::string> deleted_containers;
  std::vector<std::string> deleted_networks;
  std::vector<EventRow> events;  // appended
  // It outlives this process at once, but a power cut only together with the next change that is
  // written without this: for what need not be remembered should the power fail before that.
  bool sync_with_next = false;
};

// Where a page of a list begins: behind this row. Lists run from the newest to the oldest.
struct Cursor {
  std::int64_t created_us = INT64_MAX;
  std::string id;
};

}  // namespace crd::store
