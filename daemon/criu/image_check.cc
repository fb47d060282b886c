#include "daemon/criu/image_check.h"

#include <algorithm>
#include <map>

#include <daemon/criu/criu_images.pb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/criu/images.h"
#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

constexpr std::uint32_t kCommonMagic = 0x54564319;
const std::vector<std::uint32_t> kPagemapMagics = {kCommonMagic, 0x56084025};
const std::vector<std::uint32_t> kCoreMagics = {kCommonMagic, 0x55053847};
constexpr std::size_t kMaxEntries = 1U << 20U;
// Of a pagemap_entry's flags.
constexpr std::uint32_t kInParent = 1;
constexpr std::uint32_t kPresent = 4;

Result<void> CheckPages(FdRef images, const std::string& name) {
  const auto records = TRY(ReadRecords(images, name, kPagemapMagics, kMaxEntries));
  criu_images::pagemap_head head;
  if (records.empty() || !head.ParseFromString(records.front())) {
    return DamagedFile(name, "it has no head");
  }
  std::uint64_t pages = 0;
  for (std::size_t i = 1; i < records.size(); ++i) {
    criu_images::pagemap_entry entry;
    if (!entry.ParseFromString(records[i])) return DamagedFile(name, "an entry cannot be read");
    const std::uint32_t flags =
        entry.has_flags() ? entry.flags() : (entry.in_parent() ? kInParent : kPresent);
    if ((flags & kInParent) != 0) {
      return Error{.code = Code::kUnimplemented,
                   .message = fmt::format("'{}' builds on an earlier checkpoint", name),
                   .hint = "make one that is whole: without --prev-images-dir or --parent-path"};
    }
    if ((flags & kPresent) != 0) {
      pages += entry.has_nr_pages() ? entry.nr_pages() : entry.compat_nr_pages();
    }
  }
  const std::string file_name = fmt::format("pages-{}.img", head.pages_id());
  const auto file = OpenRegularAt(images, file_name);
  if (!file.ok()) return DamagedFile(file_name, file.error().message);
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return Error::Errno("stat image '{}'", file_name);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (static_cast<std::uint64_t>(status.st_size) != pages * page) {
    return DamagedFile(file_name,
                       fmt::format("it has {} bytes instead of {}", status.st_size, pages * page));
  }
  return {};
}

Result<void> CheckThere(FdRef images, const std::string& name) {
  if (::faccessat(images.get(), name.c_str(), R_OK, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return DamagedFile(name, "it is missing");
}

}  // namespace

Result<void> CheckComplete(FdRef images) {
  TRY(ReadInventory(images));
  TRY(CheckThere(images, "files.img"));
  for (const ImageTask& task : TRY(ReadTasks(images))) {
    for (const pid_t thread : task.threads) {
      TRY(CheckThere(images, fmt::format("core-{}.img", thread)));
    }
    // All that runs has memory; what has ended has none.
    const bool runs = CheckThere(images, fmt::format("mm-{}.img", task.pid)).ok();
    if (runs) TRY(CheckThere(images, fmt::format("pagemap-{}.img", task.pid)));
  }
  for (const std::string& name : TRY(ListDirectory(images))) {
    if (name.starts_with("pagemap-") && name.ends_with(".img")) TRY(CheckPages(images, name));
  }
  return {};
}

Result<std::string> ReadCommand(FdRef images, pid_t pid) {
  const std::string name = fmt::format("core-{}.img", pid);
  const auto records = TRY(ReadRecords(images, name, kCoreMagics, 1));
  criu_images::core_entry entry;
  if (records.empty() || !entry.ParseFromString(records.front())) {
    return DamagedFile(name, "its record cannot be read");
  }
  return entry.tc().comm();
}

}  // namespace crd::criu
