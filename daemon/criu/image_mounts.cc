#include <algorithm>

#include <daemon/criu/criu_images.pb.h>

#include "daemon/base/files.h"
#include "daemon/criu/images.h"
#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

const std::vector<std::uint32_t> kMagics = {0x54564319, 0x55563928};
// The kernel allows 100,000 in a namespace (sysctl fs.mount-max).
constexpr std::size_t kMaxMounts = 1U << 20U;

bool IsMountFile(const std::string& name) {
  return name.starts_with("mountpoints-") && name.ends_with(".img");
}

Result<void> Change(FdRef images, const std::vector<ImageMount>& mounts, bool external, FdRef to) {
  if (mounts.empty()) return {};
  std::size_t changed = 0;
  for (const std::string& name : TRY(ListDirectory(images))) {
    if (!IsMountFile(name)) continue;
    std::vector<std::string> records = TRY(ReadRecords(images, name, kMagics, kMaxMounts));
    for (std::string& record : records) {
      criu_images::mnt_entry entry;
      if (!entry.ParseFromString(record)) return DamagedFile(name, "a mount cannot be read");
      const bool meant = std::any_of(mounts.begin(), mounts.end(), [&](const ImageMount& mount) {
        return mount.device == entry.root_dev() && mount.mountpoint == entry.mountpoint();
      });
      if (!meant) continue;
      if (external) {
        entry.set_ext_key(entry.mountpoint());
      } else {
        entry.clear_ext_key();
      }
      // With everything that is not named here: libprotobuf keeps it.
      record = entry.SerializeAsString();
      ++changed;
    }
    TRY(WriteRecords(to, name, kMagics, records));
  }
  if (changed != mounts.size()) return DamagedFile("mountpoints", "not all mounts are in it");
  return {};
}

}  // namespace

Result<void> MakeMountsInternal(FdRef images, const std::vector<ImageMount>& mounts) {
  return Change(images, mounts, /*external=*/false, images);
}

Result<void> MakeMountsExternal(FdRef images, const std::vector<ImageMount>& mounts,
                                FdRef changed) {
  return Change(images, mounts, /*external=*/true, changed);
}

}  // namespace crd::criu
