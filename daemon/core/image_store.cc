#include "daemon/core/image_store.h"

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/sync.h"
#include "daemon/core/link_remaps.h"

namespace crd {
namespace {

constexpr const char* kManifest = "manifest.json";

// A staging directory, and the names outside of it that belong to it.
Result<void> RemoveUnfinished(FdRef staging, const std::string& name, FdRef directory) {
  RemoveAbandonedLinkRemaps(directory);
  TRY(RemoveLinkRemaps(directory));
  return RemoveTreeAt(staging, name);
}

// CRIU opens most images when it is in the container's user namespace already, and one of them
// before it is anybody in there (4.2: cr-restore.c, prepare_timens). It has the directory open; to
// anybody else those above it stay closed.
Result<void> OpenToUserNamespaces(FdRef images) {
  if (::fchmod(images.get(), 0711) != 0) return Error::Errno("let a user namespace see the images");
  for (const std::string& name : TRY(ListDirectory(images))) {
    if (::fchmodat(images.get(), name.c_str(), 0644, 0) != 0) {
      return Error::Errno("let a user namespace read image '{}'", name);
    }
  }
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
  if (name_.empty() || !work_.valid()) return;
  if (const auto removed = RemoveUnfinished(staging_, name_, work()); !removed.ok())
    spdlog::warn("{}, ignoring until the next start", removed.error().message);
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
  if (manifest.container && !manifest.container->users.empty()) {
    TRY(OpenToUserNamespaces(images()));
  }
  const UniqueFd written = TRY(CreateFileAt(work(), kManifest, Serialize(manifest)));
  if (::renameat2(staging_.get(), name_.c_str(), checkpoints_.get(), id.str().c_str(),
                  RENAME_NOREPLACE) != 0) {
    return Error::Errno("move the images of checkpoint {} into place", id);
  }
  name_.clear();
  Cleanup remove([&] {
    static_cast<void>(RemoveLinkRemaps(work()));
    static_cast<void>(RemoveTreeAt(checkpoints_, id.str()));
  });
  TRY(SyncAll(written.ref(), manifest));
  remove.Cancel();
  return {};
}

Result<void> StagedCheckpoint::SyncAll(FdRef written, const Manifest& manifest) const {
  std::vector<UniqueFd> files;
  std::vector<SyncTarget> targets = {{written, kManifest},
                                     {images(), "the images' directory"},
                                     {work(), "the checkpoint's directory"},
                                     {checkpoints_, "the directory of checkpoints"}};
  for (const ManifestFile& file : manifest.files) {
    files.push_back(TRY(OpenRegularAt(images(), file.name)));
    targets.push_back({files.back().ref(), file.name});
  }
  return SyncTogether(targets);
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

Result<UniqueFd> ImageStore::OpenWork(const OperationId& operation, const CheckpointId& id) const {
  auto staged = OpenDirectoryAt(staging_.ref(), operation.str());
  return staged.ok() ? std::move(staged) : OpenDirectoryAt(checkpoints_.ref(), id.str());
}

bool ImageStore::IsMissing(const CheckpointId& id) const {
  const std::string manifest = fmt::format("{}/{}", id, kManifest);
  return ::faccessat(checkpoints_.get(), manifest.c_str(), F_OK, 0) != 0 &&
         (errno == ENOENT || errno == ENOTDIR);
}

Result<void> ImageStore::Remove(const CheckpointId& id) {
  const auto directory = OpenDirectoryAt(checkpoints_.ref(), id.str());
  if (directory.ok()) TRY(RemoveLinkRemaps(directory->ref()));
  TRY(RemoveTreeAt(checkpoints_.ref(), id.str()));
  return Sync(checkpoints_.ref(), "the directory of checkpoints");
}

Result<void> ImageStore::RemoveStaging() {
  for (const std::string& name : TRY(ListDirectory(staging_.ref()))) {
    const auto directory = OpenDirectoryAt(staging_.ref(), name);
    const auto removed = directory.ok() ? RemoveUnfinished(staging_.ref(), name, directory->ref())
                                        : RemoveTreeAt(staging_.ref(), name);
    if (!removed.ok()) spdlog::warn("{}, ignoring until the next start", removed.error().message);
  }
  return {};
}

void ImageStore::EndAbandonedRestore(const CheckpointId& id) const {
  const auto directory = OpenDirectoryAt(checkpoints_.ref(), id.str());
  if (directory.ok()) RemoveAbandonedLinkRemaps(directory->ref());
}

Result<std::uint64_t> ImageStore::FreeBytes() const { return crd::FreeBytes(checkpoints_.ref()); }

}  // namespace crd
