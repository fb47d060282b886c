#include "client/commands/pid_file.h"

#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd::client {

Result<PidFile> PidFile::Open(const std::string& path) {
  const std::filesystem::path split(path);
  const std::string name = split.filename().string();
  if (name.empty() || name == "." || name == "..") {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("the pid file '{}' has no name", path),
                 .hint = "name a file, not a directory"};
  }
  // "/.": the directory itself may be a link, as /var/run is.
  const std::string parent = split.has_parent_path() ? split.parent_path().string() + "/." : ".";
  const std::string what = fmt::format("the pid file '{}' cannot be written", path);
  UniqueFd directory = TRY(OpenDirectory(parent).Annotate(what));
  if (::faccessat(directory.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return Error::Errno("{}: its directory", what);
  }
  return PidFile(path, std::move(directory), name);
}

Result<void> PidFile::Write(pid_t pid) const {
  return WriteFileAt(directory_.ref(), name_, fmt::format("{}\n", pid))
      .Annotate(fmt::format("the pid file '{}' cannot be written", path_));
}

}  // namespace crd::client
