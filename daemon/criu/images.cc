#include "daemon/criu/images.h"

#include <algorithm>

#include <daemon/criu/criu_images.pb.h>

#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

constexpr char kTasksFile[] = "pstree.img";
constexpr char kInventoryFile[] = "inventory.img";

// The kernel's own limit of pids (PID_MAX_LIMIT) bounds everything here.
constexpr std::uint32_t kMaxPid = 4U << 20U;
constexpr std::size_t kMaxRunIdLength = 64;

bool IsPid(std::uint32_t pid) { return pid > 0 && pid <= kMaxPid; }

// 0 stands for a process outside the tree's pid namespace.
bool IsPidOrNone(std::uint32_t pid) { return pid <= kMaxPid; }

bool IsSane(const criu_images::pstree_entry& entry) {
  return entry.has_ppid() && entry.has_pgid() && entry.has_sid() && IsPid(entry.pid()) &&
         IsPidOrNone(entry.ppid()) && IsPidOrNone(entry.pgid()) && IsPidOrNone(entry.sid()) &&
         std::all_of(entry.threads().begin(), entry.threads().end(), &IsPid) &&
         // A zombie has none left.
         (entry.threads().empty() ||
          std::count(entry.threads().begin(), entry.threads().end(), entry.pid()) == 1);
}

ImageTask ToTask(const criu_images::pstree_entry& entry) {
  ImageTask task{.pid = static_cast<pid_t>(entry.pid()),
                 .ppid = static_cast<pid_t>(entry.ppid()),
                 .pgid = static_cast<pid_t>(entry.pgid()),
                 .sid = static_cast<pid_t>(entry.sid())};
  for (const std::uint32_t thread : entry.threads()) {
    task.threads.push_back(static_cast<pid_t>(thread));
  }
  return task;
}

// It ends up in the name of an nftables table that crd removes.
bool IsRunId(const std::string& id) {
  return id.size() <= kMaxRunIdLength && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-';
         });
}

}  // namespace

Result<std::vector<ImageTask>> ReadTasks(FdRef images) {
  const auto records = TRY(ReadRecords(images, kTasksFile, {0x54564319, 0x50273030}, kMaxPid));
  std::vector<ImageTask> tasks;
  for (const std::string& record : records) {
    criu_images::pstree_entry entry;
    if (!entry.ParseFromString(record)) return DamagedFile(kTasksFile, "a task cannot be read");
    if (!IsSane(entry)) return DamagedFile(kTasksFile, "a task has impossible ids");
    tasks.push_back(ToTask(entry));
  }
  if (tasks.empty()) return DamagedFile(kTasksFile, "it holds no task");
  return tasks;
}

Result<ImageInventory> ReadInventory(FdRef images) {
  const auto records = TRY(ReadRecords(images, kInventoryFile, {0x58313116}, 1));
  criu_images::inventory_entry entry;
  if (records.empty() || !entry.ParseFromString(records.front()) || !entry.has_img_version()) {
    return DamagedFile(kInventoryFile, "its record cannot be read");
  }
  if (!IsRunId(entry.dump_criu_run_id())) {
    return DamagedFile(kInventoryFile, "its run id is none");
  }
  return ImageInventory{.dump_run_id = entry.dump_criu_run_id()};
}

}  // namespace crd::criu
