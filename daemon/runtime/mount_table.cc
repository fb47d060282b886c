#include "daemon/runtime/mount_table.h"

#include <cstdio>
#include <sstream>

#include <sys/sysmacros.h>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

// The kernel writes blanks and the like as \040.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

void SetOptions(MountEntry& entry, const std::string& options) {
  std::istringstream list(options);
  for (std::string option; std::getline(list, option, ',');) {
    entry.read_only |= option == "ro";
    entry.nosuid |= option == "nosuid";
    entry.nodev |= option == "nodev";
    entry.noexec |= option == "noexec";
  }
}

}  // namespace

bool HasOption(const std::string& super_options, std::string_view name) {
  return ("," + super_options + ",").find(fmt::format(",{},", name)) != std::string::npos;
}

std::string FindOption(const std::string& super_options, std::string_view name) {
  std::istringstream list(super_options);
  const std::string wanted = fmt::format("{}=", name);
  for (std::string option; std::getline(list, option, ',');) {
    if (option.starts_with(wanted)) return Unescape(option.substr(wanted.size()));
  }
  return "";
}

std::vector<MountEntry> ParseMountTable(std::string_view text) {
  std::vector<MountEntry> entries;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tail = line.find(" - ");
    if (tail == std::string::npos) continue;
    MountEntry entry;
    std::string device, options;
    std::istringstream fields(line.substr(0, tail));
    fields >> entry.id >> entry.parent >> device >> entry.root >> entry.mountpoint >> options;
    unsigned major = 0;
    unsigned minor = 0;
    if (!fields || std::sscanf(device.c_str(), "%u:%u", &major, &minor) != 2) continue;
    for (std::string tag; fields >> tag;) {
      entry.propagates |= tag.starts_with("shared:") || tag.starts_with("master:");
    }
    std::istringstream rest(line.substr(tail + 3));
    rest >> entry.type >> entry.source >> entry.super_options;
    entry.device = ::makedev(major, minor);
    entry.root = Unescape(entry.root);
    entry.mountpoint = Unescape(entry.mountpoint);
    entry.source = Unescape(entry.source);
    SetOptions(entry, options);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<MountEntry>> ReadMountTable(pid_t pid) {
  const std::string path =
      pid == 0 ? "/proc/self/mountinfo" : fmt::format("/proc/{}/mountinfo", pid);
  return ParseMountTable(TRY(ReadFile(path)));
}

}  // namespace crd::runtime
