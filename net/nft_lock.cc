#include "net/nft_lock.h"

#include <algorithm>
#include <memory>

#include <nftables/libnftables.h>

#include "net/netns.h"

namespace crd::net {
namespace {

constexpr std::string_view kPrefix = "CRIU-";

struct ContextFree {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

// Runs one command of nft(8) in the calling thread's namespace and returns what it prints.
Result<std::string> RunNft(const std::string& command) {
  const std::unique_ptr<nft_ctx, ContextFree> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (context == nullptr || nft_ctx_buffer_output(context.get()) != 0 ||
      nft_ctx_buffer_error(context.get()) != 0) {
    return Error::Internal("nft {}: libnftables does not start", command);
  }
  if (nft_run_cmd_from_buffer(context.get(), command.c_str()) != 0) {
    std::string reason = nft_ctx_get_error_buffer(context.get());
    reason = reason.substr(0, reason.find('\n'));
    return Error::Internal("nft {}: {}", command, reason);
  }
  return std::string(nft_ctx_get_output_buffer(context.get()));
}

// Tables as "family name".
Result<std::vector<std::string>> ListTablesHere() {
  const std::string output = TRY(RunNft("list tables"));
  constexpr std::string_view kLine = "table ";
  std::vector<std::string> tables;
  for (std::string_view rest = output; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.substr(0, kLine.size()) != kLine) continue;
    line.remove_prefix(kLine.size());
    tables.emplace_back(line);
  }
  return tables;
}

// The name of the lock that a table is; empty if it is none.
std::string LockOf(const std::string& table) {
  constexpr std::string_view kFamily = "inet ";
  if (table.substr(0, kFamily.size()) != kFamily) return "";
  const std::string name = table.substr(kFamily.size());
  return IsNetworkLockName(name) ? name : "";
}

Result<std::vector<std::string>> ListHere() {
  std::vector<std::string> names;
  for (const std::string& table : TRY(ListTablesHere())) {
    if (std::string name = LockOf(table); !name.empty()) names.push_back(std::move(name));
  }
  return names;
}

Result<void> RemoveHere(const std::string& name) {
  const Result<std::string> removed = RunNft(fmt::format("delete table inet {}", name));
  if (removed.ok()) return {};
  // libnftables gives no errno to tell "not there" by.
  const std::vector<std::string> names = TRY(ListHere());
  if (std::find(names.begin(), names.end(), name) == names.end()) return {};
  return removed.error();
}

Result<void> CheckName(const std::string& name) {
  if (IsNetworkLockName(name)) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("'{}' is not the name of a network lock of CRIU", name)};
}

}  // namespace

std::string NetworkLockName(std::string_view run_id) {
  constexpr std::size_t kLongest = 31 - std::string_view("inet ").size();
  return ("CRIU-" + std::string(run_id)).substr(0, kLongest);
}

bool IsNetworkLockName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
  };
  return name.size() > kPrefix.size() && name.substr(0, kPrefix.size()) == kPrefix &&
         std::all_of(name.begin(), name.end(), allowed);
}

Result<std::vector<std::string>> ListNetworkLocks(FdRef netns) {
  std::vector<std::string> names;
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    names = TRY(ListHere());
    return {};
  }));
  return names;
}

Result<std::vector<std::string>> ListForeignTables(FdRef netns) {
  std::vector<std::string> foreign;
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    for (std::string& table : TRY(ListTablesHere())) {
      if (LockOf(table).empty()) foreign.push_back(std::move(table));
    }
    return {};
  }));
  return foreign;
}

Result<void> LetNeighboursThrough(const std::string& name, FdRef netns) {
  TRY(CheckName(name));
  return RunInNetns(netns, [&]() -> Result<void> {
    // The chains' names are CRIU's (criu 4.2, net.c).
    for (const char* chain : {"input", "output"}) {
      TRY(
          RunNft(fmt::format("add rule inet {} {} icmpv6 type {{ nd-neighbor-solicit, "
                             "nd-neighbor-advert }} accept",
                             name, chain)));
    }
    return {};
  });
}

Result<void> RemoveNetworkLock(const std::string& name, FdRef netns) {
  TRY(CheckName(name));
  return RunInNetns(netns, [&] { return RemoveHere(name); });
}

}  // namespace crd::net
