#include "daemon/runtime/rootfs_diff.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/runtime/layer.h"
#include "daemon/runtime/mount_namespace.h"
#include "daemon/runtime/mount_table.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

// A container that writes to its root directory may do so between two looks.
constexpr int kLooks = 5;

Error Why(std::string what) {
  return {.code = Code::kFailedPrecondition, .message = std::move(what)};
}

// The root by itself: what is mounted in it hides nothing of it, and is not seen.
Result<UniqueFd> OpenRoot(pid_t init, const MountEntry& mount) {
  UniqueFd tree;
  TRY(InMountNamespace(init, [&]() -> Result<void> {
    const UniqueFd point = TRY(OpenMount("/", mount.id));
    if (!point.valid()) return Why("another one was mounted over it");
    tree.reset(static_cast<int>(::syscall(SYS_open_tree, point.get(), "",
                                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
    return tree.valid() ? Result<void>() : Error::Errno("open it by itself");
  }));
  UniqueFd root(::openat(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Error::Errno("open it");
  return root;
}

// The root of an overlay has the times of its upper directory.
Result<bool> IsUpperOf(FdRef upper, FdRef root) {
  for (int look = 0; look < kLooks; ++look) {
    struct stat one {};
    struct stat other {};
    if (::fstat(upper.get(), &one) != 0 || ::fstat(root.get(), &other) != 0) {
      return Error::Errno("stat it");
    }
    if (one.st_ctim.tv_sec == other.st_ctim.tv_sec &&
        one.st_ctim.tv_nsec == other.st_ctim.tv_nsec && one.st_mode == other.st_mode) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<RootfsDiff> RootfsDiff::Open(pid_t init, const std::string& id, const std::string& base) {
  const std::vector<MountEntry> table = TRY(ReadMountTable(init));
  const auto mount = std::find_if(table.rbegin(), table.rend(),
                                  [](const MountEntry& one) { return one.mountpoint == "/"; });
  if (mount == table.rend()) return refusal::RootfsNotOverlay(id, "not mounted");
  if (base.empty() && mount->type != "overlay") return refusal::RootfsNotOverlay(id, mount->type);
  RootfsDiff diff(id,
                  TRY(OpenRoot(init, *mount).Annotate("open the root of container '" + id + "'")));
  if (!base.empty()) {
    TRY(diff.OpenBase(base));
  } else if (mount->root != "/") {
    return refusal::RootfsLayerUnusable(id, mount->root,
                                        Why("the root is only a directory in an overlay"));
  } else {
    TRY(diff.OpenUpper(mount->super_options));
  }
  return diff;
}

Result<void> RootfsDiff::OpenUpper(const std::string& super_options) {
  const std::string path = FindOption(super_options, "upperdir");
  if (path.empty()) return refusal::RootfsLayerUnusable(id_, path, Why("it has none"));
  if (path.front() != '/') {
    return refusal::RootfsLayerUnusable(id_, path, Why("it was mounted by a relative path"));
  }
  // Another name of a changed file may be in a lower directory, and not know of it.
  if (FindOption(super_options, "index") == "on") {
    return refusal::RootfsLayerUnusable(id_, path, Why("its overlay has an index"));
  }
  auto upper = OpenDirectory(path);
  if (!upper.ok()) return refusal::RootfsLayerUnusable(id_, path, upper.error());
  const auto fits = IsUpperOf(upper->ref(), root_.ref());
  if (!fits.ok()) return refusal::RootfsLayerUnusable(id_, path, fits.error());
  if (!*fits) {
    return refusal::RootfsLayerUnusable(id_, path, Why("another directory has that path here"));
  }
  upper_ = std::move(*upper);
  mark_prefix_ = HasOption(super_options, "userxattr") ? "user.overlay." : "trusted.overlay.";
  return {};
}

Result<void> RootfsDiff::OpenBase(const std::string& base) {
  auto opened = OpenDirectory(base);
  if (!opened.ok()) return refusal::RootfsBaseUnusable(id_, base, opened.error());
  struct stat one {};
  struct stat other {};
  if (::fstat(opened->get(), &one) != 0 || ::fstat(root_.get(), &other) != 0) {
    return Error::Errno("stat '{}'", base);
  }
  if (one.st_dev == other.st_dev && one.st_ino == other.st_ino) {
    return refusal::RootfsBaseUnusable(id_, base, Why("it is that root itself"));
  }
  base_ = std::move(*opened);
  return {};
}

Result<void> RootfsDiff::LookAhead(const GoingOn& going_on) {
  if (!base_.valid()) return {};
  // For what it learns. Files may vanish while they are looked at.
  static_cast<void>(comparison_.Run(base_.ref(), root_.ref(), going_on));
  return going_on();
}

Result<void> RootfsDiff::Write(FdRef images, const GoingOn& going_on) {
  const UniqueFd file = TRY(CreateFileAt(images, std::string(kLayerFile), ""));
  const RootfsChanges changes =
      upper_.valid() ? TRY(ReadOverlayChanges(upper_.ref(), root_.ref(), mark_prefix_, going_on))
                     : TRY(comparison_.Run(base_.ref(), root_.ref(), going_on));
  return WriteLayer(root_.ref(), changes, file.ref(), going_on);
}

}  // namespace crd::runtime
