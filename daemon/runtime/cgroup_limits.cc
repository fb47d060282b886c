#include "daemon/runtime/cgroup_limits.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

#include "daemon/base/files.h"
#include "daemon/runtime/cgroup_file.h"

namespace crd::runtime {
namespace {

// In the order in which they are to be set: memory+swap is never below memory, a quota never above
// its period.
constexpr std::array<std::string_view, 44> kFiles = {
    "cpuset.cpus",
    "cpuset.mems",
    "cpuset.cpu_exclusive",
    "cpuset.mem_exclusive",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.kmem.tcp.limit_in_bytes",
    "memory.swappiness",
    "memory.oom_control",
    "pids.max",
    "cpu.shares",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.rt_period_us",
    "cpu.rt_runtime_us",
    "cpu.idle",
    "blkio.weight",
    "blkio.bfq.weight",
    "blkio.throttle.read_bps_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_iops_device",
    "net_cls.classid",
    "devices.list",
    "memory.max",
    "memory.high",
    "memory.low",
    "memory.min",
    "memory.swap.max",
    "memory.swap.high",
    "memory.zswap.max",
    "memory.oom.group",
    "cpu.max",
    "cpu.max.burst",
    "cpu.weight",
    "io.max",
    "io.weight",
    "io.bfq.weight",
    "io.latency",
    "hugetlb.2MB.max",
    "hugetlb.2MB.limit_in_bytes",
    "cgroup.max.depth",
    "cgroup.max.descendants",
};
constexpr std::string_view kDevices = "devices.list";
constexpr std::string_view kOomControl = "memory.oom_control";

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// The kernel takes one entry at a time.
Result<void> WriteLines(const std::string& path, const std::string& lines) {
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) TRY(WriteCgroupFile(path, line));
  return {};
}

Result<void> WriteLimit(const std::string& directory, const std::string& name,
                        const std::string& value) {
  const std::string path = directory + "/" + name;
  if (name == kDevices) {
    TRY(WriteCgroupFile(directory + "/devices.deny", "a"));
    return WriteLines(directory + "/devices.allow", value);
  }
  return WriteLines(path, value);
}

// "oom_kill_disable 1\nunder_oom 0": only the first can be set, and is written without its name.
std::string OomSwitch(const std::string& text) {
  constexpr std::string_view kName = "oom_kill_disable ";
  return text.starts_with(kName) ? text.substr(kName.size(), 1) : "";
}

}  // namespace

CgroupLimits ReadLimits(const std::string& directory) {
  CgroupLimits limits;
  for (const std::string_view name : kFiles) {
    auto text = ReadFile(directory + "/" + std::string(name));
    if (!text.ok()) continue;
    std::string value = Trimmed(*std::move(text));
    if (name == kOomControl) value = OomSwitch(value);
    if (!value.empty()) limits.emplace_back(name, std::move(value));
  }
  return limits;
}

Result<void> WriteLimits(const std::string& directory, const CgroupLimits& limits) {
  const CgroupLimits there = ReadLimits(directory);
  for (const auto& limit : limits) {
    // Texts of a checkpoint's manifest.
    if (std::find(kFiles.begin(), kFiles.end(), limit.first) == kFiles.end()) {
      return Error{.code = Code::kDataLoss,
                   .message = fmt::format("'{}' is no limit of a cgroup", limit.first)};
    }
    if (std::find(there.begin(), there.end(), limit) != there.end()) continue;
    TRY(WriteLimit(directory, limit.first, limit.second));
  }
  return {};
}

}  // namespace crd::runtime
