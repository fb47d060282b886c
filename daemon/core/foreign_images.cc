#include "daemon/core/foreign_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/core/errors.h"

namespace crd {
namespace {

// At once; often enough to tell of progress and to be stopped.
constexpr std::size_t kChunk = 8U << 20U;
constexpr std::size_t kMaxFiles = 1U << 20U;

// What else CRIU and the runtimes put there.
bool IsLeftOut(const std::string& name) {
  return name.ends_with(".log") || name.starts_with("stats-") || name.ends_with(".pid");
}

}  // namespace

Result<ForeignImages> ForeignImages::Open(const std::string& path) {
  auto directory = OpenDirectory(path);
  if (!directory.ok()) return errors::ImagesUnreadable(path, directory.error());
  ForeignImages images(path, *std::move(directory));
  std::vector<std::string> names = TRY(ListDirectory(images.directory_.ref()));
  if (names.size() > kMaxFiles) {
    return errors::ImagesUnreadable(
        path, {.code = Code::kFailedPrecondition, .message = "there are too many files in it"});
  }
  for (std::string& name : names) {
    const auto file = OpenRegularAt(images.directory_.ref(), name);
    if (!file.ok()) return errors::ImagesUnreadable(path, file.error());
    if (IsLeftOut(name)) continue;
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return Error::Errno("stat '{}/{}'", path, name);
    images.bytes_ += static_cast<std::uint64_t>(status.st_size);
    images.names_.push_back(std::move(name));
  }
  return images;
}

Result<void> ForeignImages::CopyTo(
    FdRef images, const std::function<Result<void>(std::uint64_t)>& on_bytes) const {
  std::uint64_t copied = 0;
  for (const std::string& name : names_) {
    const auto from = OpenRegularAt(directory_.ref(), name);
    if (!from.ok()) return errors::ImagesUnreadable(path_, from.error());
    const UniqueFd to = TRY(CreateFileAt(images, name, ""));
    for (;;) {
      const ssize_t got = ::copy_file_range(from->get(), nullptr, to.get(), nullptr, kChunk, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Error::Errno("copy '{}/{}'", path_, name);
      if (got == 0) break;
      copied += static_cast<std::uint64_t>(got);
      TRY(on_bytes(copied));
    }
  }
  return {};
}

}  // namespace crd
