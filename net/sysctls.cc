#include "net/sysctls.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "net/netns.h"
#include "net/sysctl_names.h"

namespace crd::net {
namespace {

constexpr const char* kRoot = "/proc/sys/net/";

// The value of a setting in the calling thread's namespace; kNotFound if the kernel has none.
Result<std::string> ReadHere(const std::string& path) {
  const UniqueFd file(::open((kRoot + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return Error::Errno("open {}{}", kRoot, path);
  char text[4096];  // lists of ports are long
  const ssize_t size = ::read(file.get(), text, sizeof text);
  if (size < 0) return Error::Errno("read {}{}", kRoot, path);
  std::string value(text, static_cast<std::size_t>(size));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<void> WriteHere(const std::string& path, const std::string& value) {
  const UniqueFd file(::open((kRoot + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) {
    return Error::Errno("set {}{} to '{}'", kRoot, path, value);
  }
  return {};
}

Sysctls ReadAllHere(const std::vector<std::string>& interfaces) {
  Sysctls all;
  const auto take = [&all](const std::string& path) {
    auto value = ReadHere(path);
    if (value.ok()) all[path] = std::move(*value);
  };
  for (const char* path : kOfNamespace) take(path);
  std::vector<std::string> subjects = {"all", "default"};
  subjects.insert(subjects.end(), interfaces.begin(), interfaces.end());
  for (const std::string& subject : subjects) {
    for (const char* name : kOfInterface4) take(fmt::format("ipv4/conf/{}/{}", subject, name));
    for (const char* name : kOfInterface6) take(fmt::format("ipv6/conf/{}/{}", subject, name));
  }
  return all;
}

// Where a new namespace keeps what a new interface gets.
std::string WhenNew(const std::string& path) {
  const std::size_t conf = path.find("/conf/");
  if (conf == std::string::npos) return path;
  const std::size_t begin = conf + std::string_view("/conf/").size();
  const std::size_t end = path.find_last_of('/');
  const std::string subject = path.substr(begin, end - begin);
  if (subject == "all" || subject == "lo") return path;
  return path.substr(0, begin) + "default" + path.substr(end);
}

}  // namespace

Result<Sysctls> ReadSysctls(FdRef netns, const std::vector<std::string>& interfaces) {
  Sysctls all;
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    all = ReadAllHere(interfaces);
    return {};
  }));
  return all;
}

Result<Sysctls> ReadNewNamespaceSysctls() {
  Sysctls all;
  TRY(RunInNewNetns([&]() -> Result<void> {
    all = ReadAllHere({"lo"});
    return {};
  }));
  return all;
}

Sysctls DifferingSysctls(const Sysctls& now, const Sysctls& when_new) {
  Sysctls differing;
  for (const auto& [path, value] : now) {
    const auto original = when_new.find(WhenNew(path));
    if (original == when_new.end() || original->second != value) differing[path] = value;
  }
  return differing;
}

Result<void> WriteSysctls(FdRef netns, const Sysctls& wanted, const Sysctls& now,
                          const Sysctls& when_new) {
  return RunInNetns(netns, [&]() -> Result<void> {
    // Those of "all" are handed to every interface: they come first, and each of the others is
    // looked at when it is due.
    for (const bool of_all : {true, false}) {
      for (const auto& [path, ignored] : now) {
        if ((path.find("/conf/all/") != std::string::npos) != of_all) continue;
        const auto said = wanted.find(path);
        const auto original = when_new.find(WhenNew(path));
        if (said == wanted.end() && original == when_new.end()) continue;
        const std::string& value = said == wanted.end() ? original->second : said->second;
        const auto current = ReadHere(path);
        if (!current.ok() || *current != value) TRY(WriteHere(path, value));
      }
    }
    return {};
  });
}

}  // namespace crd::net
