#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/runtime/rootfs_changes.h"
#include "daemon/runtime/xattrs.h"

namespace crd::runtime {
namespace {

using How = RootfsChange::How;

class Walk {
 public:
  Walk(std::string mark_prefix, const GoingOn& going_on)
      : prefix_(std::move(mark_prefix)), going_on_(going_on) {}

  Result<void> Directory(FdRef upper, FdRef merged, const std::string& path) {
    for (const std::string& name : TRY(ListDirectory(upper))) {
      TRY(going_on_());
      TRY(Look(upper, merged, name, path == "." ? name : path + "/" + name));
    }
    return {};
  }
  RootfsChanges changes = {{.path = "."}};

 private:
  Result<void> Look(FdRef upper, FdRef merged, const std::string& name, const std::string& path) {
    struct stat status {};
    if (::fstatat(merged.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return Error::Errno("stat '{}'", path);
      // However it is told: a device 0:0, or an attribute (since Linux 6.7).
      changes.push_back({.path = path, .how = How::kGone});
      return {};
    }
    if (S_ISSOCK(status.st_mode)) return {};
    if (!S_ISDIR(status.st_mode)) {
      changes.push_back({.path = path});
      return {};
    }
    const bool moved = !TRY(ReadXattr(upper, name, prefix_ + "redirect")).empty();
    const bool opaque = moved || TRY(ReadXattr(upper, name, prefix_ + "opaque")) == "y";
    changes.push_back({.path = path, .how = opaque ? How::kOpaque : How::kThere});
    const UniqueFd inside = TRY(OpenDirectoryAt(merged, name));
    // What was in a directory that was renamed is in a lower one, under its old name.
    if (moved) return Whole(inside.ref(), path);
    const UniqueFd inside_upper = TRY(OpenDirectoryAt(upper, name));
    return Directory(inside_upper.ref(), inside.ref(), path);
  }

  Result<void> Whole(FdRef merged, const std::string& path) {
    for (const std::string& name : TRY(ListDirectory(merged))) {
      TRY(going_on_());
      struct stat status {};
      if (::fstatat(merged.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return Error::Errno("stat '{}/{}'", path, name);
      }
      if (S_ISSOCK(status.st_mode)) continue;
      changes.push_back({.path = path + "/" + name});
      if (!S_ISDIR(status.st_mode)) continue;
      const UniqueFd inside = TRY(OpenDirectoryAt(merged, name));
      TRY(Whole(inside.ref(), path + "/" + name));
    }
    return {};
  }

  const std::string prefix_;
  const GoingOn& going_on_;
};

}  // namespace

Result<RootfsChanges> ReadOverlayChanges(FdRef upper, FdRef merged, const std::string& mark_prefix,
                                         const GoingOn& going_on) {
  Walk walk(mark_prefix, going_on);
  TRY(walk.Directory(upper, merged, "."));
  return std::move(walk.changes);
}

}  // namespace crd::runtime
