#include "daemon/runtime/id_maps.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

// `side` is IdRange::inside or IdRange::outside.
bool Has(const std::vector<IdRange>& ranges, std::uint32_t IdRange::*side, std::uint32_t id) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const IdRange& range) {
    return id >= range.*side && id - range.*side < range.count;
  });
}

constexpr std::uint32_t kNobody = 65534;

}  // namespace

bool IdMaps::HasUser(uid_t outside) const { return Has(users, &IdRange::outside, outside); }
bool IdMaps::HasGroup(gid_t outside) const { return Has(groups, &IdRange::outside, outside); }

bool IdMaps::HasNobody() const {
  return Has(users, &IdRange::inside, kNobody) && Has(groups, &IdRange::inside, kNobody);
}

gid_t IdMaps::RootGroup() const {
  const auto root = std::find_if(groups.begin(), groups.end(),
                                 [](const IdRange& range) { return range.inside == 0; });
  return root == groups.end() ? static_cast<gid_t>(-1) : root->outside;
}

Result<std::vector<IdRange>> ParseIdMap(std::string_view text) {
  std::vector<IdRange> ranges;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    IdRange range;
    std::istringstream numbers(line);
    if (!(numbers >> range.inside >> range.outside >> range.count)) {
      return Error{.code = Code::kDataLoss,
                   .message = fmt::format("'{}' is no line of a user namespace's map", line)};
    }
    ranges.push_back(range);
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

Result<IdMaps> ReadIdMaps(pid_t pid) {
  IdMaps maps;
  maps.users = TRY(ParseIdMap(TRY(ReadFile(fmt::format("/proc/{}/uid_map", pid)))));
  maps.groups = TRY(ParseIdMap(TRY(ReadFile(fmt::format("/proc/{}/gid_map", pid)))));
  return maps;
}

}  // namespace crd::runtime
