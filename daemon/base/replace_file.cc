#include "daemon/base/replace_file.h"

#include <cstdio>

#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/files.h"
#include "daemon/base/ids.h"

namespace crd {

Result<void> ReplaceFileAt(FdRef directory, const std::string& name, std::string_view content) {
  const std::string temporary = fmt::format(".{}.{}", name, RandomHex16());
  const UniqueFd fd = TRY(CreateFileAt(directory, temporary, content));
  Cleanup remove([&] { ::unlinkat(directory.get(), temporary.c_str(), 0); });
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    return Error::Errno("rename '{}' to '{}'", temporary, name);
  }
  remove.Cancel();
  return {};
}

}  // namespace crd
