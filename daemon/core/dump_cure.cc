#include "daemon/core/dump_cure.h"

#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/pid_fd.h"
#include "net/netns.h"
#include "net/nft_lock.h"
#include "net/tcp_repair.h"

namespace crd {
namespace {

// Between the signal and the end of a process, on a busy host.
constexpr auto kKilledPatience = std::chrono::seconds(2);

// Of the lines "CRIU run id = 0a756fef-…" at the top of CRIU's log. `criu swrk` chooses one when it
// starts and another when it serves, and logs both; the lock has the latter's name (criu 4.2,
// util_init()).
std::vector<std::string> FindRunIds(std::string_view log) {
  static constexpr std::string_view kMark = ") CRIU run id = ";
  std::vector<std::string> ids;
  for (std::size_t at = log.find(kMark); at != std::string_view::npos; at = log.find(kMark, at)) {
    at += kMark.size();
    ids.emplace_back(log.substr(at, log.find('\n', at) - at));
  }
  return ids;
}

// The lock is where the tree is: in CRIU's own namespace, or the tree's.
void RemoveLocks(pid_t root, FdRef work) {
  // What a big tree logs can be very long; the ids are in its first lines.
  constexpr std::size_t kHead = 16U << 10U;
  const auto log = ReadHeadAt(work, "dump.log", kHead);
  if (!log.ok()) return;
  const auto netns = net::OpenNetns(fmt::format("/proc/{}/ns/net", root));
  const FdRef where = netns.ok() ? netns->ref() : FdRef(-1);
  for (const std::string& run_id : FindRunIds(*log)) {
    if (auto removed = net::RemoveNetworkLock(net::NetworkLockName(run_id), where); !removed.ok()) {
      spdlog::warn("remove the network lock of a killed CRIU: {}, ignoring",
                   removed.error().message);
    }
  }
}

}  // namespace

void CureAfterKilledDump(const std::vector<TreeProcess>& processes, FdRef work) {
  for (const TreeProcess& process : processes) {
    const auto cured = net::CureRepairMode(process.pid);
    if (!cured.ok() && cured.error().code != Code::kNotFound) {
      spdlog::warn("take connections of process {} out of repair mode: {}, ignoring", process.pid,
                   cured.error().message);
    }
  }
  if (!processes.empty()) RemoveLocks(processes.front().pid, work);
}

bool EndRestOfTree(const ProcessTree& tree) {
  const auto root = PidFd::Reopen(tree.root().identity());
  // What is killed has not ended yet.
  if (root.ok() && !root->WaitExit(SteadyClock::now() + kKilledPatience)) return false;
  for (const TreeProcess& process : tree.processes()) {
    const auto left = PidFd::Reopen(process.identity());
    if (left.ok()) static_cast<void>(left->Signal(SIGKILL));
  }
  return true;
}

}  // namespace crd
