#include "daemon/runtime/layer.h"

#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/run_apart.h"
#include "daemon/runtime/archive_reader.h"
#include "daemon/runtime/archive_writer.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/xattrs.h"

namespace crd::runtime {
namespace {

using How = RootfsChange::How;

constexpr std::string_view kMark = ".wh.";
constexpr std::string_view kOpaqueMark = ".wh..wh..opq";

struct Split {
  std::string parent;
  std::string name;
};
Split SplitPath(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

Error Hostile(std::string_view path, std::string_view why) {
  return {.code = Code::kDataLoss, .message = fmt::format("lay down '{}': {}", path, why)};
}

// "./a/b/" is "a/b".
Result<std::string> PathOf(const char* name) {
  std::string path = name;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  while (path.starts_with("./")) path.erase(0, path.find_first_not_of('/', 1));
  if (path.empty() || path.front() == '/') return Hostile(name, "it is no relative path");
  if (("/" + path + "/").find("/../") != std::string::npos) {
    return Hostile(name, "it leads out of its directory");
  }
  return path;
}

class LayerReader {
 public:
  LayerReader(FdRef root, const GoingOn& going_on) : root_(root), going_on_(going_on) {}

  // Whether libarchive is to make it; room is made for it.
  Result<bool> Before(archive_entry* entry) {
    TRY(going_on_());
    const std::string path = TRY(PathOf(::archive_entry_pathname(entry)));
    const bool directory = ::archive_entry_filetype(entry) == AE_IFDIR;
    DropForeignXattrs(entry);
    if (directory) times_.emplace_back(path, TimeOf(entry));
    if (path == ".") {
      if (!directory) return Hostile(path, "it is no directory");
      TRY(ClearXattrs(root_));
      return true;
    }
    const Split at = SplitPath(path);
    auto parent = OpenDirectoryAt(root_, at.parent);
    if (!parent.ok()) return Hostile(path, parent.error().message);
    if (at.name == kOpaqueMark) {
      TRY(Empty(parent->ref()).Annotate(path));
      return false;
    }
    if (at.name.starts_with(kMark)) {
      const std::string name = at.name.substr(kMark.size());
      if (name.empty() || name == "." || name == "..") return Hostile(path, "it marks no name");
      TRY(RemoveTreeAt(parent->ref(), name).Annotate(path));
      return false;
    }
    TRY(MakeRoom(parent->ref(), at.name, directory).Annotate(path));
    return true;
  }

  // Directories change with what is made in them, and libarchive puts only those right that it has
  // made itself.
  Result<void> SetTimes() const {
    for (const auto& [path, time] : times_) {
      const UniqueFd directory = TRY(OpenDirectoryAt(root_, path));
      const timespec both[] = {time, time};
      if (::futimens(directory.get(), both) != 0) return Error::Errno("set the time of '{}'", path);
    }
    return {};
  }

 private:
  static timespec TimeOf(archive_entry* entry) {
    return {.tv_sec = ::archive_entry_mtime(entry), .tv_nsec = ::archive_entry_mtime_nsec(entry)};
  }

  static Result<void> Empty(FdRef directory) {
    for (const std::string& name : TRY(ListDirectory(directory))) {
      TRY(RemoveTreeAt(directory, name));
    }
    return {};
  }

  static Result<void> MakeRoom(FdRef parent, const std::string& name, bool directory) {
    struct stat status {};
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Result<void>() : Error::Errno("stat it");
    }
    if (!directory || !S_ISDIR(status.st_mode)) return RemoveTreeAt(parent, name);
    const UniqueFd there = TRY(OpenDirectoryAt(parent, name));
    return ClearXattrs(there.ref());
  }

  static void DropForeignXattrs(archive_entry* entry) {
    std::vector<std::pair<std::string, std::string>> kept;
    const char* key = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    ::archive_entry_xattr_reset(entry);
    while (::archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK) {
      if (!IsOfHost(key))
        kept.emplace_back(key, std::string(static_cast<const char*>(value), size));
    }
    ::archive_entry_xattr_clear(entry);
    for (const auto& [name, text] : kept) {
      ::archive_entry_xattr_add_entry(entry, name.c_str(), text.data(), text.size());
    }
  }

  FdRef root_;
  const GoingOn& going_on_;
  std::vector<std::pair<std::string, timespec>> times_;  // of directories
};

// The root is all that this thread can see, and nothing is mounted in it.
Result<void> LayDownInside(FdRef file, FdRef root, const GoingOn& going_on) {
  const UniqueFd alone(static_cast<int>(::syscall(
      SYS_open_tree, root.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
  if (!alone.valid()) return Error::Errno("open the root by itself");
  if (::unshare(CLONE_FS) != 0) return Error::Errno("leave the process's working directory");
  if (::fchdir(alone.get()) != 0 || ::chroot(".") != 0) return Error::Errno("enter the root");
  ::umask(0);
  const UniqueFd inside = TRY(OpenDirectory("/"));
  LayerReader reader(inside.ref(), going_on);
  TRY(ExtractHere(file, [&](archive_entry* entry) { return reader.Before(entry); }));
  return reader.SetTimes();
}

}  // namespace

Result<void> WriteLayer(FdRef root, const RootfsChanges& changes, FdRef file,
                        const GoingOn& going_on) {
  ArchiveWriter writer = TRY(ArchiveWriter::Open(file, Compression::kZstd, going_on));
  std::string open_path;
  UniqueFd parent;
  for (const RootfsChange& change : changes) {
    const auto [directory, name] = SplitPath(change.path);
    if (name.starts_with(kMark)) return refusal::RootfsNameReserved(change.path);
    if (change.how == How::kGone) {
      const std::string above = directory == "." ? "." : "./" + directory;
      TRY(writer.PutMark(fmt::format("{}/{}{}", above, kMark, name)));
      continue;
    }
    if (!parent.valid() || open_path != directory) {
      parent = TRY(OpenDirectoryAt(root, directory));
      open_path = directory;
    }
    struct stat status {};
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return Error::Errno("stat '{}'", change.path);
    }
    TRY(writer.Put(parent.ref(), name, change.path == "." ? "." : "./" + change.path, status));
    if (change.how == How::kOpaque) {
      TRY(writer.PutMark(fmt::format("./{}/{}", change.path, kOpaqueMark)));
    }
  }
  return writer.Finish();
}

Result<void> LayDown(FdRef file, FdRef root, const GoingOn& going_on) {
  return RunApart("start a thread", [&] { return LayDownInside(file, root, going_on); });
}

}  // namespace crd::runtime
