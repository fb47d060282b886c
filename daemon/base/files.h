#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// Whole small files, names relative to a directory descriptor. Everything is opened with O_CLOEXEC
// and never follows a symbolic link in its last component. Any thread may call these.

inline constexpr std::size_t kSmallFileLimit = 16U << 20U;

// A directory of our own (O_PATH is not used: it must be possible to fsync it).
Result<UniqueFd> OpenDirectory(const std::string& path);
// `name` must stay beneath `directory`: no "..", no links anywhere (openat2, RESOLVE_BENEATH).
Result<UniqueFd> OpenDirectoryAt(FdRef directory, const std::string& name);
// A regular file beneath `directory`, read-only; anything else is refused by name.
Result<UniqueFd> OpenRegularAt(FdRef directory, const std::string& name);

// Makes one directory, mode 0700. Having it already is no error.
Result<void> MakeDirectoryAt(FdRef directory, const std::string& name);
// The same for a path and all its parents.
Result<void> MakeDirectories(const std::string& path);

Result<std::string> ReadFile(const std::string& path);
Result<std::string> ReadFileAt(FdRef directory, const std::string& name);
// The first `limit` bytes, or all of a shorter file.
Result<std::string> ReadHeadAt(FdRef directory, const std::string& name, std::size_t limit);

// A new file, mode 0600, open for reading and writing; not synced. kAlreadyExists if it is there.
Result<UniqueFd> CreateFileAt(FdRef directory, const std::string& name, std::string_view content);

// Atomic and durable: temporary file, fsync, rename, fsync of the directory. Mode 0600.
Result<void> WriteFileAt(FdRef directory, const std::string& name, std::string_view content);

Result<void> Sync(FdRef fd, std::string_view what);

// Removes a file or a whole tree without following links or crossing into another file system.
// Having nothing to remove is no error.
Result<void> RemoveTreeAt(FdRef directory, const std::string& name);

// Names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> ListDirectory(FdRef directory);

// Bytes an unprivileged writer could still get on the file system (f_bavail).
Result<std::uint64_t> FreeBytes(FdRef directory);

}  // namespace crd
