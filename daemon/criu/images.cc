#include "daemon/criu/images.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>

#include <daemon/criu/criu_images.pb.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

constexpr char kTasksFile[] = "pstree.img";
constexpr char kInventoryFile[] = "inventory.img";
constexpr char kFilesFile[] = "files.img";
constexpr char kRemapsFile[] = "remap-fpath.img";
constexpr char kTerminalsFile[] = "tty-info.img";
const std::vector<std::uint32_t> kTerminalsMagics = {0x54564319, 0x59453036};

// The kernel's own limit of pids (PID_MAX_LIMIT) bounds everything here.
constexpr std::uint32_t kMaxPid = 4U << 20U;
constexpr std::size_t kMaxRunIdLength = 64;
constexpr std::size_t kMaxFiles = 4U << 20U;

// Of criu's remap_type and TtyType.
constexpr std::uint32_t kLinked = 0;
constexpr std::uint32_t kExternalTerminal = 5;

bool IsPid(std::uint32_t pid) { return pid > 0 && pid <= kMaxPid; }

// 0 stands for a process outside the tree's pid namespace.
bool IsPidOrNone(std::uint32_t pid) { return pid <= kMaxPid; }

// The threads besides the main one. The first stands for the main thread; CRIU does not read it,
// and for a zombie writes what happened to be in its memory (criu 4.2: seize.c, collect_threads).
std::span<const std::uint32_t> OtherThreads(const criu_images::pstree_entry& entry) {
  const std::span<const std::uint32_t> all(entry.threads().data(),
                                           static_cast<std::size_t>(entry.threads_size()));
  return all.empty() ? all : all.subspan(1);
}

bool IsSane(const criu_images::pstree_entry& entry) {
  const auto others = OtherThreads(entry);
  return entry.has_ppid() && entry.has_pgid() && entry.has_sid() && IsPid(entry.pid()) &&
         IsPidOrNone(entry.ppid()) && IsPidOrNone(entry.pgid()) && IsPidOrNone(entry.sid()) &&
         std::all_of(others.begin(), others.end(),
                     [&](std::uint32_t thread) { return IsPid(thread) && thread != entry.pid(); });
}

ImageTask ToTask(const criu_images::pstree_entry& entry) {
  ImageTask task{.pid = static_cast<pid_t>(entry.pid()),
                 .ppid = static_cast<pid_t>(entry.ppid()),
                 .pgid = static_cast<pid_t>(entry.pgid()),
                 .sid = static_cast<pid_t>(entry.sid()),
                 .threads = {static_cast<pid_t>(entry.pid())}};
  for (const std::uint32_t thread : OtherThreads(entry)) {
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

Result<std::vector<criu_images::file_entry>> ReadFiles(FdRef images) {
  const auto records = TRY(ReadRecords(images, kFilesFile, {0x54564319, 0x56303138}, kMaxFiles));
  std::vector<criu_images::file_entry> files;
  for (const std::string& record : records) {
    if (!files.emplace_back().ParseFromString(record))
      return DamagedFile(kFilesFile, "a file cannot be read");
  }
  return files;
}

std::string_view LastComponent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// CRIU makes the file only when there is something to write.
bool IsThere(FdRef images, const char* name) {
  return ::faccessat(images.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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

bool IsLinkRemapName(std::string_view name) {
  constexpr std::string_view kPrefix = "link_remap.";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

Result<std::vector<std::string>> ReadLinkRemaps(FdRef images) {
  if (!IsThere(images, kRemapsFile)) return std::vector<std::string>();
  const auto records = TRY(ReadRecords(images, kRemapsFile, {0x54564319, 0x59133954}, kMaxFiles));
  std::map<std::uint32_t, std::string> names;
  for (const criu_images::file_entry& file : TRY(ReadFiles(images))) {
    if (file.has_reg()) names.emplace(file.id(), file.reg().name());
  }
  std::vector<std::string> paths;
  for (const std::string& record : records) {
    criu_images::remap_file_path_entry remap;
    if (!remap.ParseFromString(record)) return DamagedFile(kRemapsFile, "a name cannot be read");
    if (remap.remap_type() != kLinked) continue;
    const auto name = names.find(remap.remap_id());
    if (name == names.end() || !IsLinkRemapName(LastComponent(name->second)))
      return DamagedFile(kRemapsFile, "a name is none that CRIU makes");
    // Without the slash at its beginning.
    paths.push_back("/" + name->second);
  }
  return paths;
}

Result<void> ForgetTerminalSessions(FdRef images) {
  if (!IsThere(images, kTerminalsFile)) return {};
  std::vector<std::string> records =
      TRY(ReadRecords(images, kTerminalsFile, kTerminalsMagics, kMaxFiles));
  for (std::string& record : records) {
    criu_images::tty_info_entry terminal;
    if (!terminal.ParseFromString(record))
      return DamagedFile(kTerminalsFile, "a terminal cannot be read");
    if (terminal.type() != kExternalTerminal) continue;
    terminal.set_sid(0);
    terminal.set_pgrp(0);
    // With everything that is not named here: libprotobuf keeps it.
    record = terminal.SerializeAsString();
  }
  return WriteRecords(images, kTerminalsFile, kTerminalsMagics, records);
}

Result<std::vector<ImageOutsideFile>> ReadOutsideFiles(FdRef images) {
  std::vector<ImageOutsideFile> outside;
  for (const criu_images::file_entry& file : TRY(ReadFiles(images))) {
    const criu_images::reg_file_entry& entry = file.reg();
    if (!file.has_reg() || !entry.ext()) continue;
    // CRIU's -1 stands for a file that has no position.
    const auto position = static_cast<off_t>(entry.pos());
    outside.push_back({.key = entry.name(),
                       .flags = static_cast<int>(entry.flags()),
                       .position = position < 0 ? 0 : position});
    if (entry.has_size()) outside.back().size = static_cast<off_t>(entry.size());
  }
  return outside;
}

Result<bool> HasExpiredPeriodicTimer(FdRef images) {
  const auto files = TRY(ReadFiles(images));
  return std::any_of(files.begin(), files.end(), [](const criu_images::file_entry& file) {
    const criu_images::timerfd_entry& timer = file.tfd();
    return file.has_tfd() && timer.ticks() != 0 && timer.vsec() == 0 && timer.vnsec() == 0 &&
           (timer.isec() != 0 || timer.insec() != 0);
  });
}

}  // namespace crd::criu
