#include "daemon/runtime/archive.h"

#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/run_apart.h"
#include "daemon/runtime/archive_reader.h"
#include "daemon/runtime/archive_writer.h"

namespace crd::runtime {
namespace {

Result<void> PutInside(FdRef directory, const std::string& path, dev_t device,
                       ArchiveWriter& writer) {
  for (const std::string& name : TRY(ListDirectory(directory))) {
    struct stat status {};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return Error::Errno("stat '{}/{}'", path, name);
    }
    if (status.st_dev != device || S_ISSOCK(status.st_mode)) continue;
    const std::string below = path + "/" + name;
    TRY(writer.Put(directory, name, below, status));
    if (!S_ISDIR(status.st_mode)) continue;
    const UniqueFd inner = TRY(OpenDirectoryAt(directory, name));
    TRY(PutInside(inner.ref(), below, device, writer));
  }
  return {};
}

}  // namespace

Result<void> WriteArchive(FdRef tree, FdRef file) {
  const auto go_on = [] { return Result<void>(); };
  ArchiveWriter writer = TRY(ArchiveWriter::Open(file, Compression::kGzip, go_on));
  struct stat status {};
  if (::fstat(tree.get(), &status) != 0) return Error::Errno("stat a directory");
  TRY(writer.Put(tree, ".", ".", status));
  TRY(PutInside(tree, ".", status.st_dev, writer));
  return writer.Finish();
}

Result<void> ExtractArchive(FdRef file, FdRef into) {
  // libarchive writes where the thread is.
  return RunApart("start a thread", [&]() -> Result<void> {
    if (::unshare(CLONE_FS) != 0) return Error::Errno("leave the process's working directory");
    if (::fchdir(into.get()) != 0) return Error::Errno("enter a directory");
    ::umask(0);
    return ExtractHere(file, [](archive_entry*) { return true; });
  });
}

}  // namespace crd::runtime
