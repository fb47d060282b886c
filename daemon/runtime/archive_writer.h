#pragma once

#include <memory>
#include <string>

#include <sys/stat.h>

#include "daemon/base/going_on.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::runtime {

enum class Compression { kGzip, kZstd };

// Writes an archive, pax, entry by entry. One thread.
class ArchiveWriter {
 public:
  // `file` is open and empty, and outlives this.
  static Result<ArchiveWriter> Open(FdRef file, Compression compression, GoingOn going_on);

  ArchiveWriter(ArchiveWriter&&) noexcept;
  ArchiveWriter& operator=(ArchiveWriter&&) = delete;
  ~ArchiveWriter();

  // Adds `name` of a directory as `path`, with all that it is and holds; of a directory only
  // itself. Another name of what is in the archive already becomes a hard link.
  Result<void> Put(FdRef directory, const std::string& name, const std::string& path,
                   const struct stat& status);
  // Adds an empty file, which stands for something else.
  Result<void> PutMark(const std::string& path);

  Result<void> Finish();

 private:
  struct Parts;
  explicit ArchiveWriter(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace crd::runtime
