#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  std::vector<pid_t> threads;  // `pid` first
};

// inventory.img
struct ImageInventory {
  // The random id of the CRIU run that dumped: its nftables table is "inet CRIU-<id>".
  std::string dump_run_id;
};

Result<std::vector<ImageTask>> ReadTasks(FdRef images);  // pstree.img, root first
Result<ImageInventory> ReadInventory(FdRef images);

// Absolute paths "…/link_remap.N": the names that CRIU made, with link_remap, for files whose own
// were deleted while others remain. From remap-fpath.img and files.img.
Result<std::vector<std::string>> ReadLinkRemaps(FdRef images);

// Whether a file's name is one of those.
bool IsLinkRemapName(std::string_view name);

// Changes tty-info.img: the external terminals (DumpRequest::external, "tty[…]") of the tree
// control no session any more. CRIU writes down the session of the shell that the tree was started
// from, and then refuses to restore the tree without it (criu 4.2, tty.c: tty_find_restoring_task);
// where the session is the tree's own, it would take the new terminal away from whoever it
// controls. While the images are nobody else's: in CRIU's post-dump notification.
Result<void> ForgetTerminalSessions(FdRef images);

// A mount of the tree's that comes from outside, by its place in the images.
struct ImageMount {
  std::uint32_t device = 0;  // CRIU's number
  std::string mountpoint;
};
// Changes mountpoints-N.img: these were dumped as external ones ("mnt[…]:…"), and CRIU is to make
// them anew after all. Their content must be there as CRIU expects it. In CRIU's post-dump
// notification.
Result<void> MakeMountsInternal(FdRef images, const std::vector<ImageMount>& mounts);
// The other way round, for one restore: writes what had to be changed to `changed`, and leaves
// `images` as they are. Their keys are their mountpoints.
Result<void> MakeMountsExternal(FdRef images, const std::vector<ImageMount>& mounts, FdRef changed);

// A file outside of the tree's mounts, of which CRIU knows only the key.
struct ImageOutsideFile {
  std::string key;  // "file[…]"
  int flags = 0;    // of open(2), less those that only count there
  off_t position = 0;
  std::optional<off_t> size;  // of a regular file
};
// From files.img.
Result<std::vector<ImageOutsideFile>> ReadOutsideFiles(FdRef images);

// Whether there is a timerfd that expires again and again and had expired when it was dumped,
// without having been read since. From files.img.
Result<bool> HasExpiredPeriodicTimer(FdRef images);

}  // namespace crd::criu
