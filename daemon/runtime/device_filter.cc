#include "daemon/runtime/device_filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

// The kernel takes no more for one cgroup, and instructions of one program (6.1).
constexpr std::size_t kMostPrograms = 64;
constexpr std::size_t kMostInstructions = 1'000'000;

int Bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

// The kernel wants zeros to the end, which the initialization of a union does not promise.
bpf_attr NoAttributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  return attributes;
}

std::uint64_t Address(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

Result<std::vector<std::uint32_t>> Programs(FdRef cgroup) {
  std::array<std::uint32_t, kMostPrograms> ids{};
  bpf_attr attributes = NoAttributes();
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = Address(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (Bpf(BPF_PROG_QUERY, attributes) != 0) return Error::Errno("ask for device filters");
  return std::vector<std::uint32_t>(ids.begin(), ids.begin() + attributes.query.prog_cnt);
}

Result<bpf_prog_info> Ask(FdRef program, std::vector<bpf_insn>& instructions) {
  bpf_prog_info info{};
  info.xlated_prog_insns = Address(instructions.data());
  info.xlated_prog_len = static_cast<std::uint32_t>(instructions.size() * sizeof(bpf_insn));
  bpf_attr attributes = NoAttributes();
  attributes.info.bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.info.info = Address(&info);
  attributes.info.info_len = sizeof info;
  if (Bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0) return Error::Errno("look at a device filter");
  return info;
}

// Empty if the kernel does not show them.
Result<std::vector<bpf_insn>> Instructions(std::uint32_t id) {
  bpf_attr attributes = NoAttributes();
  attributes.prog_id = id;
  const UniqueFd program(Bpf(BPF_PROG_GET_FD_BY_ID, attributes));
  if (!program.valid()) return Error::Errno("open device filter {}", id);
  std::vector<bpf_insn> none;
  std::vector<bpf_insn> instructions(TRY(Ask(program.ref(), none)).xlated_prog_len /
                                     sizeof(bpf_insn));
  const bpf_prog_info shown = TRY(Ask(program.ref(), instructions));
  return shown.xlated_prog_insns == 0 ? none : instructions;
}

std::string ToText(const std::vector<bpf_insn>& instructions) {
  std::string text;
  for (const bpf_insn& one : instructions) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &one, sizeof bits);
    text += fmt::format("{:016x}", bits);
  }
  return text;
}

Result<std::vector<bpf_insn>> FromText(const std::string& text) {
  constexpr std::size_t kDigits = 2 * sizeof(bpf_insn);
  const Error wrong{.code = Code::kDataLoss,
                    .message = "the checkpoint does not hold its device filter's program"};
  if (text.empty() || text.size() % kDigits != 0 || text.size() / kDigits > kMostInstructions) {
    return wrong;
  }
  std::vector<bpf_insn> instructions(text.size() / kDigits);
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    std::uint64_t bits = 0;
    const char* begin = text.data() + i * kDigits;
    if (std::from_chars(begin, begin + kDigits, bits, 16).ptr != begin + kDigits) return wrong;
    std::memcpy(&instructions[i], &bits, sizeof bits);
  }
  return instructions;
}

Result<UniqueFd> Load(const std::vector<bpf_insn>& instructions) {
  bpf_attr attributes = NoAttributes();
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = Address(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = Address("Apache");
  UniqueFd program(Bpf(BPF_PROG_LOAD, attributes));
  if (!program.valid()) return Error::Errno("load a device filter");
  return program;
}

}  // namespace

std::vector<std::string> ReadDeviceFilters(const std::string& cgroup) {
  std::vector<std::string> filters;
  const auto directory = OpenDirectory(cgroup);
  if (!directory.ok()) return filters;
  const auto programs = Programs(directory->ref());
  if (!programs.ok()) return filters;
  for (const std::uint32_t id : *programs) {
    const auto instructions = Instructions(id);
    filters.push_back(instructions.ok() ? ToText(*instructions) : "");
  }
  return filters;
}

Result<void> SetDeviceFilters(const std::string& cgroup, const std::vector<std::string>& filters) {
  if (filters.empty()) return {};
  const UniqueFd directory = TRY(OpenDirectory(cgroup));
  const std::vector<std::string> there = ReadDeviceFilters(cgroup);
  for (const std::string& text : filters) {
    if (std::find(there.begin(), there.end(), text) != there.end()) continue;
    const UniqueFd program = TRY(Load(TRY(FromText(text))));
    bpf_attr attributes = NoAttributes();
    attributes.target_fd = static_cast<std::uint32_t>(directory.get());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (Bpf(BPF_PROG_ATTACH, attributes) != 0) {
      return Error::Errno("give '{}' its device filter", cgroup);
    }
  }
  return {};
}

}  // namespace crd::runtime
