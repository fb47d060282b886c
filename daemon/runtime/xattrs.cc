#include "daemon/runtime/xattrs.h"

#include <vector>

#include <sys/xattr.h>

namespace crd::runtime {
namespace {

// Most of them are short: one call where it is so.
constexpr std::size_t kUsual = 512;

// There is no xattr call that takes a directory and a name before Linux 6.13.
std::string PathOf(FdRef directory, const std::string& name) {
  return fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
}

// `list` is llistxattr() or flistxattr() of something.
template <typename F>
Result<std::vector<std::string>> ListKeys(const F& list, const std::string& name) {
  std::string text(kUsual, '\0');
  ssize_t size = list(text.data(), text.size());
  while (size < 0 && errno == ERANGE) {
    text.resize(text.size() * 4);
    size = list(text.data(), text.size());
  }
  std::vector<std::string> keys;
  if (size < 0 && errno == ENOTSUP) return keys;
  if (size < 0) return Error::Errno("list the extended attributes of '{}'", name);
  text.resize(static_cast<std::size_t>(size));
  for (std::size_t at = 0; at < text.size(); at += keys.back().size() + 1) {
    keys.emplace_back(text.c_str() + at);
  }
  return keys;
}

Result<std::string> Get(const std::string& path, const std::string& key) {
  std::string value(kUsual, '\0');
  ssize_t size = ::lgetxattr(path.c_str(), key.c_str(), value.data(), value.size());
  while (size < 0 && errno == ERANGE) {
    value.resize(value.size() * 4);
    size = ::lgetxattr(path.c_str(), key.c_str(), value.data(), value.size());
  }
  if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) return std::string();
  if (size < 0) return Error::Errno("read the extended attribute '{}'", key);
  value.resize(static_cast<std::size_t>(size));
  return value;
}

}  // namespace

bool IsOfHost(const std::string& key) {
  return key == "security.selinux" || key.starts_with("trusted.overlay.");
}

Result<std::map<std::string, std::string>> ReadXattrs(FdRef directory, const std::string& name) {
  const std::string path = PathOf(directory, name);
  std::map<std::string, std::string> found;
  const auto list = [&](char* text, std::size_t size) {
    return ::llistxattr(path.c_str(), text, size);
  };
  for (const std::string& key : TRY(ListKeys(list, name))) {
    found[key] = TRY(Get(path, key).Annotate(name));
  }
  return found;
}

Result<std::string> ReadXattr(FdRef directory, const std::string& name, const std::string& key) {
  return Get(PathOf(directory, name), key).Annotate(name);
}

Result<void> ClearXattrs(FdRef directory) {
  const auto list = [&](char* text, std::size_t size) {
    return ::flistxattr(directory.get(), text, size);
  };
  for (const std::string& key : TRY(ListKeys(list, "a directory"))) {
    if (IsOfHost(key)) continue;
    if (::fremovexattr(directory.get(), key.c_str()) != 0 && errno != ENODATA && errno != ENOTSUP) {
      return Error::Errno("remove the extended attribute '{}'", key);
    }
  }
  return {};
}

}  // namespace crd::runtime
