#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// A file that a tree has open under a name which is deleted, while the file has other names.
//
// With link_remap CRIU gives it one more, "link_remap.N" beside the deleted one, from which a
// restore opens it. CRIU removes that name with the first restore, and after a dump that leaves the
// tree running at once (criu 4.2, files-reg.c). So crd keeps a name of its own for as long as the
// checkpoint exists, ".link_remap.N.crd-<checkpoint>", and lends CRIU its own for each restore.
struct RemappedFile {
  std::string directory;  // absolute path
  std::string name;       // CRIU's; empty as long as CRIU has not made it
  ino_t inode = 0;
  bool operator==(const RemappedFile&) const = default;
};

// Notes in a checkpoint's directory, durably, which files will be given names: whoever finds the
// directory later knows what to remove. Before CRIU makes any.
Result<void> AnnounceLinkRemaps(FdRef checkpoint_directory, const CheckpointId& checkpoint,
                                const std::vector<RemappedFile>& expected);

// Turns the names that CRIU has made, which its images tell, into crd's own, durably. While CRIU
// waits in its post-dump notification: should it have to roll back, it misses none of them.
Result<std::vector<RemappedFile>> TakeLinkRemaps(FdRef checkpoint_directory,
                                                 const CheckpointId& checkpoint, FdRef images);

// Removes crd's names as they are noted in this directory. Names that are gone are no error.
Result<void> RemoveLinkRemaps(FdRef checkpoint_directory);

// Removes CRIU's names for the files that are noted in this directory: of a dump or restore that
// nobody finished. Best effort: what fails is logged.
void RemoveAbandonedLinkRemaps(FdRef checkpoint_directory);

// Why the files cannot be restored: crd's name is gone, or another file has it. By path.
struct LinkRemapProblem {
  std::string path;
  std::string what;
};
std::vector<LinkRemapProblem> CheckLinkRemaps(const CheckpointId& checkpoint,
                                              const std::vector<RemappedFile>& files);

// CRIU's names, there for one restore. What CRIU has not removed by then goes with this.
class LentLinkRemaps {
 public:
  // LINK_REMAP_TAKEN when there is another file by such a name.
  static Result<LentLinkRemaps> Lend(const CheckpointId& checkpoint,
                                     const std::vector<RemappedFile>& files);
  LentLinkRemaps(LentLinkRemaps&&) = default;
  LentLinkRemaps& operator=(LentLinkRemaps&&) = delete;
  ~LentLinkRemaps();

 private:
  LentLinkRemaps() = default;
  std::vector<RemappedFile> lent_;
};

}  // namespace crd
