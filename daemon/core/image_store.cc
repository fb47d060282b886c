#include "daemon/core/image_store.h"

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

constexpr const char* kManifest = "manifest.json";

// Two rounds: the first starts write-back of every file, so that the second mostly waits once for
// one journal commit instead of once per file.
Result<void> SyncFiles(FdRef directory, const std::vector<std::string>& names) {
  std::vector<UniqueFd> files;
  for (const std::string& name : names) {
    UniqueFd file = TRY(OpenRegularAt(directory, name));
    ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    files.push_back(std::move(file));
  }
  for (std::size_t i = 0; i < files.size(); ++i) TRY(Sync(files[i].ref(), names[i]));
  return {};
}

}  // namespace

Result<std::unique_ptr<ImageStore>> ImageStore::Open(const std::string& state_directory) {
  std::string path = state_directory + "/checkpoints";
  TRY(MakeDirectories(path));
  UniqueFd checkpoints = TRY(OpenDirectory(path));
  TRY(MakeDirectoryAt(checkpoints.ref(), ".staging"));
  UniqueFd staging = TRY(OpenDirectoryAt(checkpoints.ref(), ".staging"));
  return std::unique_ptr<ImageStore>(
      new ImageStore(std::move(path), std::move(checkpoints), std::move(staging)));
}

Result<StagedCheckpoint> ImageStore::Stage(const OperationId& operation) {
  TRY(MakeDirectoryAt(staging_.ref(), operation.str()));
  UniqueFd work = TRY(OpenDirectoryAt(staging_.ref(), operation.str()));
  TRY(MakeDirectoryAt(work.ref(), "images"));
  UniqueFd images = TRY(OpenDirectoryAt(work.ref(), "images"));
  return StagedCheckpoint(checkpoints_.ref(), staging_.ref(), operation.str(), std::move(work),
                          std::move(images));
}

StagedCheckpoint::~StagedCheckpoint() {
  // What stays behind is removed at the next start.
  if (!name_.empty() && work_.valid()) static_cast<void>(RemoveTreeAt(staging_, name_));
}

Result<std::vector<ManifestFile>> StagedCheckpoint::Survey(
    const std::map<std::string, ImageFollower::Followed>& followed) const {
  std::vector<ManifestFile> files;
  for (const std::string& name : TRY(ListDirectory(images()))) {
    const UniqueFd file = TRY(OpenRegularAt(images(), name));
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return Error::Errno("stat image '{}'", name);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const auto known = followed.find(name);
    if (known != followed.end() && known->second.size == size) {
      files.push_back({.name = name, .size = size, .digest = known->second.digest});
      continue;
    }
    Digest digest;
    TRY(digest.AddFile(file.ref(), 0).Annotate(name));
    files.push_back({.name = name, .size = size, .digest = digest.Hex()});
  }
  return files;
}

Result<void> StagedCheckpoint::Commit(const CheckpointId& id, const Manifest& manifest) {
  std::vector<std::string> names;
  for (const ManifestFile& file : manifest.files) names.push_back(file.name);
  TRY(SyncFiles(images(), names));
  TRY(Sync(images(), "the images' directory"));
  TRY(WriteFileAt(work(), kManifest, Serialize(manifest)));
  if (::renameat2(staging_.get(), name_.c_str(), checkpoints_.get(), id.str().c_str(),
                  RENAME_NOREPLACE) != 0) {
    return Error::Errno("move the images of checkpoint {} into place", id);
  }
  const std::string staged = std::exchange(name_, std::string());
  if (auto synced = Sync(checkpoints_, "the directory of checkpoints"); !synced.ok()) {
    static_cast<void>(RemoveTreeAt(checkpoints_, id.str()));
    return synced;
  }
  return {};
}

Result<StoredCheckpoint> ImageStore::Open(const CheckpointId& id) const {
  UniqueFd directory = TRY(OpenDirectoryAt(checkpoints_.ref(), id.str()));
  const std::string text = TRY(ReadFileAt(directory.ref(), kManifest));
  Manifest manifest = TRY(ParseManifest(text));
  UniqueFd images = TRY(OpenDirectoryAt(directory.ref(), "images"));
  return StoredCheckpoint{.directory = std::move(directory),
                          .images = std::move(images),
                          .manifest = std::move(manifest)};
}

Result<void> ImageStore::Remove(const CheckpointId& id) {
  TRY(RemoveTreeAt(checkpoints_.ref(), id.str()));
  return Sync(checkpoints_.ref(), "the directory of checkpoints");
}

Result<std::vector<CheckpointId>> ImageStore::List() const {
  std::vector<CheckpointId> ids;
  for (std::string& name : TRY(ListDirectory(checkpoints_.ref()))) {
    if (!name.starts_with('.')) ids.emplace_back(std::move(name));
  }
  return ids;
}

Result<void> ImageStore::RemoveStaging() {
  for (const std::string& name : TRY(ListDirectory(staging_.ref()))) {
    TRY(RemoveTreeAt(staging_.ref(), name));
  }
  return {};
}

Result<std::uint64_t> ImageStore::FreeBytes() const { return crd::FreeBytes(checkpoints_.ref()); }

}  // namespace crd
