#include "daemon/core/link_remaps.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "daemon/core/json.h"
#include "daemon/criu/images.h"

namespace crd {
namespace {

using nlohmann::json;

constexpr const char* kNotes = "link-remaps.json";

// What stands in a checkpoint's directory.
struct Notes {
  CheckpointId checkpoint;
  std::vector<RemappedFile> files;
};

std::string KeptName(const CheckpointId& checkpoint, const std::string& name) {
  return fmt::format(".{}.crd-{}", name, checkpoint);
}

std::string PathOf(const RemappedFile& file, const std::string& name) {
  return fmt::format("{}/{}", file.directory, name);
}

// The inode that a name leads to; nothing if there is no such name.
std::optional<ino_t> InodeOf(FdRef directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return std::nullopt;
  return status.st_ino;
}

// CRIU takes the directory above where the one of the deleted name is gone.
Result<UniqueFd> OpenNearest(std::string path) {
  for (;;) {
    auto directory = OpenDirectory(path.empty() ? "/" : path);
    if (directory.ok() || directory.error().sys_errno != ENOENT || path.empty()) return directory;
    path.erase(path.rfind('/'));
  }
}

Result<void> WriteNotes(FdRef directory, const Notes& notes) {
  json files = json::array();
  for (const RemappedFile& file : notes.files) files.push_back(ToJson(file));
  const json whole = {{"checkpoint", notes.checkpoint.str()}, {"files", std::move(files)}};
  return WriteFileAt(directory, kNotes,
                     whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

Result<Notes> ParseNotes(std::string_view text) {
  const json whole = TRY(ParseJson(text, kNotes));
  Notes notes{.checkpoint = CheckpointId(TRY(Member<std::string>(whole, "checkpoint", "")))};
  for (const json& item : TRY(Member<std::vector<json>>(whole, "files", {})))
    notes.files.push_back(TRY(RemappedFileFromJson(item)));
  return notes;
}

// Empty where there are none, or none that can be understood: names that are left behind are better
// than a checkpoint that cannot be removed.
Result<Notes> ReadNotes(FdRef directory) {
  const auto text = ReadFileAt(directory, kNotes);
  if (!text.ok() && text.error().code == Code::kNotFound) return Notes{};
  auto notes = ParseNotes(TRY(text));
  if (notes.ok()) return notes;
  spdlog::warn("{}, ignoring the names of deleted files", notes.error().message);
  return Notes{};
}

Result<void> Unlink(FdRef directory, const RemappedFile& file, const std::string& name) {
  if (::unlinkat(directory.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return Error::Errno("remove '{}'", PathOf(file, name));
}

Result<void> Take(const CheckpointId& checkpoint, const RemappedFile& file) {
  const UniqueFd directory = TRY(OpenDirectory(file.directory));
  const std::string kept = KeptName(checkpoint, file.name);
  if (::renameat2(directory.get(), file.name.c_str(), directory.get(), kept.c_str(),
                  RENAME_NOREPLACE) != 0) {
    return Error::Errno("rename '{}' to '{}'", PathOf(file, file.name), kept);
  }
  return Sync(directory.ref(), file.directory);
}

Result<RemappedFile> Describe(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  RemappedFile file{.directory = path.substr(0, std::max<std::size_t>(slash, 1)),
                    .name = path.substr(slash + 1)};
  const UniqueFd directory = TRY(OpenDirectory(file.directory));
  const auto inode = InodeOf(directory.ref(), file.name);
  if (!inode.has_value()) return Error::Errno("look at '{}', which CRIU made", path);
  file.inode = *inode;
  return file;
}

Result<void> RemoveCriusNames(const RemappedFile& file) {
  const UniqueFd directory = TRY(OpenNearest(file.directory));
  for (const std::string& name : TRY(ListDirectory(directory.ref()))) {
    if (criu::IsLinkRemapName(name) && InodeOf(directory.ref(), name) == file.inode)
      TRY(Unlink(directory.ref(), file, name));
  }
  return {};
}

Result<void> LendOne(const CheckpointId& checkpoint, const RemappedFile& file) {
  const UniqueFd directory = TRY(OpenDirectory(file.directory));
  const std::string kept = KeptName(checkpoint, file.name);
  if (::linkat(directory.get(), kept.c_str(), directory.get(), file.name.c_str(), 0) == 0)
    return {};
  const Error error =
      Error::Errno("link '{}' to '{}'", PathOf(file, kept), PathOf(file, file.name));
  if (error.sys_errno != EEXIST) return error;
  if (InodeOf(directory.ref(), file.name) == file.inode) return {};
  return errors::LinkRemapTaken(PathOf(file, file.name));
}

}  // namespace

Result<void> AnnounceLinkRemaps(FdRef checkpoint_directory, const CheckpointId& checkpoint,
                                const std::vector<RemappedFile>& expected) {
  return WriteNotes(checkpoint_directory, {.checkpoint = checkpoint, .files = expected});
}

Result<std::vector<RemappedFile>> TakeLinkRemaps(FdRef checkpoint_directory,
                                                 const CheckpointId& checkpoint, FdRef images) {
  std::vector<RemappedFile> files;
  for (const std::string& path : TRY(criu::ReadLinkRemaps(images)))
    files.push_back(TRY(Describe(path)));
  if (files.empty()) return files;
  TRY(WriteNotes(checkpoint_directory, {.checkpoint = checkpoint, .files = files}));
  for (const RemappedFile& file : files) TRY(Take(checkpoint, file));
  return files;
}

Result<void> RemoveLinkRemaps(FdRef checkpoint_directory) {
  const Notes notes = TRY(ReadNotes(checkpoint_directory));
  for (const RemappedFile& file : notes.files) {
    if (file.name.empty()) continue;
    const auto directory = OpenDirectory(file.directory);
    if (!directory.ok() && directory.error().code == Code::kNotFound) continue;
    if (!directory.ok()) return directory.error();
    TRY(Unlink(directory->ref(), file, KeptName(notes.checkpoint, file.name)));
  }
  return {};
}

void RemoveAbandonedLinkRemaps(FdRef checkpoint_directory) {
  const auto notes = ReadNotes(checkpoint_directory);
  if (!notes.ok()) {
    spdlog::warn("find the names that CRIU left behind: {}, ignoring", notes.error().message);
    return;
  }
  for (const RemappedFile& file : notes->files) {
    if (const auto removed = RemoveCriusNames(file); !removed.ok())
      spdlog::warn("remove a name that CRIU left behind: {}, ignoring", removed.error().message);
  }
}

std::vector<LinkRemapProblem> CheckLinkRemaps(const CheckpointId& checkpoint,
                                              const std::vector<RemappedFile>& files) {
  std::vector<LinkRemapProblem> problems;
  for (const RemappedFile& file : files) {
    const std::string kept = KeptName(checkpoint, file.name);
    const auto directory = OpenDirectory(file.directory);
    const auto inode = directory.ok() ? InodeOf(directory->ref(), kept) : std::nullopt;
    if (!inode.has_value()) problems.push_back({PathOf(file, kept), "is missing"});
    if (inode.value_or(file.inode) != file.inode)
      problems.push_back({PathOf(file, kept), "is another file"});
  }
  return problems;
}

Result<LentLinkRemaps> LentLinkRemaps::Lend(const CheckpointId& checkpoint,
                                            const std::vector<RemappedFile>& files) {
  LentLinkRemaps lent;
  for (const RemappedFile& file : files) {
    TRY(LendOne(checkpoint, file));
    lent.lent_.push_back(file);
  }
  return lent;
}

LentLinkRemaps::~LentLinkRemaps() {
  for (const RemappedFile& file : lent_) {
    const auto directory = OpenDirectory(file.directory);
    if (!directory.ok() || InodeOf(directory->ref(), file.name) != file.inode) continue;
    if (const auto removed = Unlink(directory->ref(), file, file.name); !removed.ok())
      spdlog::warn("{}, ignoring", removed.error().message);
  }
}

}  // namespace crd
