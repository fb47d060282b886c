#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// What crd reads of CRIU's images itself: facts needed to bring a tree back that only the images
// hold. Images are hostile input: every length is bounded, unknown fields are skipped, damage is an
// error (kDataLoss) that names the file. Formats as of CRIU 4.1 - 4.3.

struct ImageTask {
  pid_t pid = 0;  // innermost
  pid_t ppid = 0;
  pid_t pgid = 0;
  pid_t sid = 0;
  std::vector<pid_t> threads;  // of which `pid` is one
};

// inventory.img
struct ImageInventory {
  // The random id of the CRIU run that dumped: its nftables table is "inet CRIU-<id>".
  std::string dump_run_id;
};

Result<std::vector<ImageTask>> ReadTasks(FdRef images);  // pstree.img, root first
Result<ImageInventory> ReadInventory(FdRef images);

}  // namespace crd::criu
