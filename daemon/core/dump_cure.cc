#include "daemon/core/dump_cure.h"

#include <string>
#include <string_view>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "net/nft_lock.h"
#include "net/tcp_repair.h"

namespace crd {
namespace {

// Of the line "CRIU run id = 0a756fef-…" at the top of CRIU's log.
std::string FindRunId(std::string_view log) {
  static constexpr std::string_view kMark = "CRIU run id = ";
  const std::size_t at = log.find(kMark);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = log.substr(at + kMark.size());
  return std::string(rest.substr(0, rest.find('\n')));
}

}  // namespace

void CureAfterKilledDump(const ProcessTree& tree, FdRef work) {
  for (const TreeProcess& process : tree.processes()) {
    const auto cured = net::CureRepairMode(process.pid);
    if (!cured.ok() && cured.error().code != Code::kNotFound) {
      spdlog::warn("take connections of process {} out of repair mode: {}, ignoring", process.pid,
                   cured.error().message);
    }
  }
  const auto log = ReadFileAt(work, "dump.log");
  const std::string run_id = log.ok() ? FindRunId(*log) : "";
  if (run_id.empty()) return;
  if (auto removed = net::RemoveNetworkLock(net::NetworkLockName(run_id)); !removed.ok()) {
    spdlog::warn("remove the network lock of a killed CRIU: {}, ignoring", removed.error().message);
  }
}

}  // namespace crd
