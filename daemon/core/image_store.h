#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/image_follower.h"
#include "daemon/core/manifest.h"

namespace crd {

// A checkpoint's directory while it is being filled. Vanishes with everything in it unless it was
// committed. Belongs to one operation.
//
//   .staging/<operation>/            work(): CRIU's log and statistics, and manifest.json
//   .staging/<operation>/images/     images()
class StagedCheckpoint {
 public:
  StagedCheckpoint(StagedCheckpoint&&) = default;
  StagedCheckpoint& operator=(StagedCheckpoint&&) = delete;
  ~StagedCheckpoint();

  [[nodiscard]] FdRef work() const { return work_.ref(); }
  [[nodiscard]] FdRef images() const { return images_.ref(); }

  // Lists the images with size and digest; takes those that were followed from `followed`.
  [[nodiscard]] Result<std::vector<ManifestFile>> Survey(
      const std::map<std::string, ImageFollower::Followed>& followed) const;

  // Makes it the directory of `id`: every file, the manifest and the directories are on disk when
  // this returns. A power cut in between may leave a part of it under `id`, which its manifest
  // tells, as long as no row says `ready`. After an error nothing of it is left.
  Result<void> Commit(const CheckpointId& id, const Manifest& manifest);

 private:
  friend class ImageStore;
  Result<void> SyncAll(FdRef written, const Manifest& manifest) const;
  StagedCheckpoint(FdRef checkpoints, FdRef staging, std::string name, UniqueFd work,
                   UniqueFd images)
      : checkpoints_(checkpoints),
        staging_(staging),
        name_(std::move(name)),
        work_(std::move(work)),
        images_(std::move(images)) {}
  FdRef checkpoints_;
  FdRef staging_;
  std::string name_;  // empty once committed
  UniqueFd work_;
  UniqueFd images_;
};

// A committed checkpoint's directory, open.
struct StoredCheckpoint {
  UniqueFd directory;
  UniqueFd images;
  Manifest manifest;
};

// The directories under <state>/checkpoints. Thread-safe; outlives what it stages.
class ImageStore {
 public:
  static Result<std::unique_ptr<ImageStore>> Open(const std::string& state_directory);

  Result<StagedCheckpoint> Stage(const OperationId& operation);
  // kDataLoss if the manifest is missing or was changed, kNotFound if the directory is gone.
  [[nodiscard]] Result<StoredCheckpoint> Open(const CheckpointId& id) const;
  // The directory with CRIU's log of a dump, committed or not.
  [[nodiscard]] Result<UniqueFd> OpenWork(const OperationId& operation,
                                          const CheckpointId& id) const;
  // Whether somebody has removed a committed checkpoint behind crd's back. One system call; says
  // nothing about what its files hold.
  [[nodiscard]] bool IsMissing(const CheckpointId& id) const;
  // With the names that were made for its deleted files.
  Result<void> Remove(const CheckpointId& id);
  // Removes what a restore that nobody finished left beside such files. Only while nothing runs.
  void EndAbandonedRestore(const CheckpointId& id) const;
  // Removes every staging directory. Only while nothing is staged: at start.
  Result<void> RemoveStaging();
  [[nodiscard]] Result<std::uint64_t> FreeBytes() const;
  [[nodiscard]] std::string Path(const CheckpointId& id) const { return path_ + "/" + id.str(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ImageStore(std::string path, UniqueFd checkpoints, UniqueFd staging)
      : path_(std::move(path)),
        checkpoints_(std::move(checkpoints)),
        staging_(std::move(staging)) {}
  std::string path_;
  UniqueFd checkpoints_;
  UniqueFd staging_;
};

}  // namespace crd
