#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "daemon/base/unique_fd.h"
#include "daemon/criu/criu.h"

namespace crd {

// What is asked of the engine, in its own words: values, checked by the engine.

// A process tree by its root's pid, or by the key of a container that crd knows.
using Target = std::variant<pid_t, std::string>;

struct CheckpointRequest {
  std::string request_id;
  Target target;
  std::string name;
  criu::DumpOptions options;
  std::chrono::microseconds timeout{0};  // 0: the default
};

// On whose behalf a file is opened.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Where a restored tree's broken standard streams go.
struct StdioToLog {
  std::string path;  // empty: a file under crd's state
  // The caller, who must be able to write to `path`: crd itself could write anywhere.
  Credentials caller;
};
struct StdioFromCaller {
  // The caller's descriptors 0, 1, 2; shared because a repeated request may bring them again.
  std::shared_ptr<const std::vector<UniqueFd>> descriptors;
};

struct RestoreRequest {
  std::string request_id;
  std::string checkpoint;
  std::string name;
  std::variant<StdioToLog, StdioFromCaller> stdio;
  bool tcp_established = false;
  bool tcp_close = false;
  std::chrono::microseconds timeout{0};
};

struct CheckRequest {
  struct CheckpointKey {
    std::string key;
  };
  std::variant<Target, CheckpointKey> subject;
  criu::DumpOptions options;
};

}  // namespace crd
