#include "daemon/criu/cgroup_yard.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <daemon/criu/criu_images.pb.h>
#include <fmt/ranges.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/replace_file.h"
#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

namespace fs = std::filesystem;

constexpr char kCgroupsFile[] = "cgroup.img";
constexpr int kMaxSets = 1 << 16;
constexpr int kMaxControllers = 64;

Result<criu_images::cgroup_entry> Read(FdRef images) {
  const auto records = TRY(ReadRecords(images, kCgroupsFile, {0x54564319, 0x59383330}, 1));
  criu_images::cgroup_entry entry;
  if (records.empty() || !entry.ParseFromString(records.front())) {
    return DamagedFile(kCgroupsFile, "its record cannot be read");
  }
  if (entry.sets_size() > kMaxSets || entry.controllers_size() > kMaxControllers) {
    return DamagedFile(kCgroupsFile, "it holds more than any kernel has");
  }
  return entry;
}

// The hierarchy's directory in the yard, by each of its controllers (4.2: ctrl_dir_and_opt).
std::map<std::string, std::string> Hierarchies(const criu_images::cgroup_entry& entry) {
  constexpr std::string_view kNamed = "name=";
  std::map<std::string, std::string> directories;
  for (const criu_images::cg_controller_entry& hierarchy : entry.controllers()) {
    std::vector<std::string_view> names;
    for (std::string_view name : hierarchy.cnames()) {
      if (name.starts_with(kNamed)) name.remove_prefix(kNamed.size());
      names.push_back(name.empty() ? "unified" : name);
    }
    const std::string directory = fmt::format("{}", fmt::join(names, ","));
    for (const std::string& name : hierarchy.cnames()) directories[name] = directory;
  }
  return directories;
}

// An absolute path that leads nowhere else when it is put behind another.
bool StaysBeneath(const std::string& path) {
  const fs::path parsed(path);
  return std::find(parsed.begin(), parsed.end(), "..") == parsed.end();
}

Result<void> MakeFile(const std::string& yard, const std::string& cgroup) {
  if (!StaysBeneath(cgroup)) return DamagedFile(kCgroupsFile, "a cgroup's path is none");
  const std::string directory = yard + "/" + cgroup;
  TRY(MakeDirectories(directory));
  const UniqueFd opened = TRY(OpenDirectory(directory));
  return ReplaceFileAt(opened.ref(), "cgroup.procs", "");
}

Result<void> Fill(const std::string& yard, const criu_images::cgroup_entry& entry) {
  const auto hierarchies = Hierarchies(entry);
  std::set<std::string> cgroups;
  bool any_namespace = false;
  for (const criu_images::cg_set_entry& set : entry.sets()) {
    for (const criu_images::cg_member_entry& member : set.ctls()) {
      const auto hierarchy = hierarchies.find(member.name());
      if (hierarchy == hierarchies.end() || member.cgns_prefix() > member.path().size()) {
        return DamagedFile(kCgroupsFile, "a cgroup is in no hierarchy");
      }
      const std::string within = hierarchy->second + "/";
      cgroups.insert(within + member.path());
      if (member.cgns_prefix() == 0) continue;
      any_namespace = true;
      cgroups.insert(within + member.path().substr(0, member.cgns_prefix()));
    }
  }
  if (!any_namespace) return DamagedFile(kCgroupsFile, "it knows of no cgroup namespace");
  for (const std::string& cgroup : cgroups) TRY(MakeFile(yard, cgroup));
  return {};
}

}  // namespace

Result<CgroupYard> CgroupYard::Make(FdRef images, std::string directory) {
  const criu_images::cgroup_entry entry = TRY(Read(images));
  TRY(MakeDirectories(directory));
  CgroupYard yard(std::move(directory));
  TRY(Fill(yard.path(), entry));
  return yard;
}

CgroupYard::CgroupYard(CgroupYard&& other) noexcept : path_(std::exchange(other.path_, {})) {}

CgroupYard::~CgroupYard() {
  if (path_.empty()) return;
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) spdlog::warn("remove '{}': {}, ignoring", path_, error.message());
}

}  // namespace crd::criu
