#pragma once

#include <map>
#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::runtime {

// Extended attributes (xattr(7)) of whatever is called `name` in a directory, which is not opened,
// nor followed if it is a link. File systems that have none have none here. Any thread.

// Access lists among them.
Result<std::map<std::string, std::string>> ReadXattrs(FdRef directory, const std::string& name);
// Without the others; the empty text if there is no such attribute.
Result<std::string> ReadXattr(FdRef directory, const std::string& name, const std::string& key);
// Removes those of an open directory, but for what is the host's business or the file system's own:
// labels, marks of overlays.
Result<void> ClearXattrs(FdRef directory);
// Whether that is such a one.
bool IsOfHost(const std::string& key);

}  // namespace crd::runtime
