#include "daemon/runtime/device_filter.h"

#include <array>
#include <cstdint>
#include <vector>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

// The kernel takes no more for one cgroup (6.1).
constexpr std::size_t kMostPrograms = 64;

int Bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

Result<std::vector<std::uint32_t>> Programs(FdRef cgroup) {
  std::array<std::uint32_t, kMostPrograms> ids{};
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (Bpf(BPF_PROG_QUERY, attributes) != 0) return Error::Errno("ask for device filters");
  return std::vector<std::uint32_t>(ids.begin(), ids.begin() + attributes.query.prog_cnt);
}

Result<UniqueFd> OpenProgram(std::uint32_t id) {
  bpf_attr attributes{};
  attributes.prog_id = id;
  UniqueFd program(Bpf(BPF_PROG_GET_FD_BY_ID, attributes));
  if (!program.valid()) return Error::Errno("open device filter {}", id);
  return program;
}

}  // namespace

bool HasDeviceFilter(const std::string& cgroup) {
  const auto directory = OpenDirectory(cgroup);
  if (!directory.ok()) return false;
  const auto programs = Programs(directory->ref());
  return programs.ok() && !programs->empty();
}

Result<void> CopyDeviceFilter(const std::string& from, const std::string& to) {
  const UniqueFd source = TRY(OpenDirectory(from));
  const UniqueFd target = TRY(OpenDirectory(to));
  for (const std::uint32_t id : TRY(Programs(source.ref()))) {
    const UniqueFd program = TRY(OpenProgram(id));
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(target.get());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (Bpf(BPF_PROG_ATTACH, attributes) != 0) return Error::Errno("attach device filter {}", id);
  }
  return {};
}

}  // namespace crd::runtime
