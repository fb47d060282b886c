#include "daemon/core/process_tree.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <utility>

namespace crd {
namespace {

constexpr int kMostReadings = 8;

bool Gone(const Error& error) { return error.code == Code::kNotFound; }

// Pids of the tree, every parent before its children.
Result<std::vector<pid_t>> ListTree(pid_t root) {
  std::vector<pid_t> pids = {root};
  std::set<pid_t> seen = {root};
  for (std::size_t at = 0; at < pids.size(); ++at) {
    const Result<proc::ProcDir> process = proc::ProcDir::Open(pids[at]);
    Result<std::vector<pid_t>> children =
        process.ok() ? proc::ReadChildren(process.value()) : process.error();
    if (!children.ok() && (at == 0 || !Gone(children.error()))) return children.error();
    if (!children.ok()) continue;
    for (const pid_t child : children.value()) {
      if (seen.insert(child).second) pids.push_back(child);
    }
  }
  return pids;
}

constexpr std::uint64_t kTrapBit = 1U << (SIGTRAP - 1);

// What a debugger or a signal may have done to any one thread of a process.
struct ThreadState {
  pid_t tracer = 0;
  bool pending_trap = false;
};

Result<ThreadState> ReadThreads(const proc::ProcDir& process, const proc::Status& leader) {
  ThreadState state{.tracer = leader.tracer,
                    .pending_trap = (leader.pending_signals & kTrapBit) != 0};
  if (leader.threads <= 1) return state;
  for (const int thread : TRY(process.ListNumbers("task"))) {
    const Result<proc::Status> status = proc::ReadThreadStatus(process, thread);
    if (!status.ok()) continue;
    if (state.tracer == 0) state.tracer = status.value().tracer;
    state.pending_trap |= (status.value().pending_signals & kTrapBit) != 0;
  }
  return state;
}

// The size of all different shared memory objects, each as far as any process has it mapped.
std::uint64_t MappedSharedBytes(const std::vector<TreeProcess>& processes) {
  std::map<std::pair<dev_t, ino_t>, std::uint64_t> objects;
  for (const TreeProcess& process : processes) {
    if (process.shared_bytes == 0) continue;
    const Result<proc::ProcDir> directory = proc::ProcDir::Open(process.pid);
    if (!directory.ok()) continue;
    const Result<std::vector<proc::SharedMemory>> all = proc::ReadSharedMemory(directory.value());
    if (!all.ok()) continue;
    for (const proc::SharedMemory& memory : all.value()) {
      std::uint64_t& bytes = objects[{memory.device, memory.inode}];
      bytes = std::max(bytes, memory.bytes);
    }
  }
  std::uint64_t sum = 0;
  for (const auto& [object, bytes] : objects) sum += bytes;
  return sum;
}

}  // namespace

std::string TreeProcess::Describe() const { return fmt::format("{} (pid {})", comm, pid); }

const TreeProcess* ProcessTree::Find(pid_t pid) const {
  const auto found = std::find_if(processes_.begin(), processes_.end(),
                                  [&](const TreeProcess& process) { return process.pid == pid; });
  return found == processes_.end() ? nullptr : &*found;
}

std::uint64_t ProcessTree::MemoryBytes() const {
  std::uint64_t of_one = 0;
  std::uint64_t shared = 0;
  for (const TreeProcess& process : processes_) {
    of_one += process.private_bytes;
    shared += process.shared_bytes;
  }
  // Each alone may be too much: the sum counts what several have once for each of them, the
  // mappings what nobody has ever touched.
  return of_one + std::min(shared, mapped_shared_bytes_);
}

Result<TreeProcess> ReadProcess(pid_t pid) {
  const proc::ProcDir directory = TRY(proc::ProcDir::Open(pid));
  proc::Stat stat = TRY(proc::ReadStat(directory));
  const proc::Status status = TRY(proc::ReadStatus(directory));
  const ThreadState threads = TRY(ReadThreads(directory, status));
  return TreeProcess{.pid = pid,
                     .ppid = stat.ppid,
                     .pgid = stat.pgid,
                     .sid = stat.sid,
                     .state = stat.state,
                     .start_time = stat.start_time,
                     .threads = status.threads,
                     .tracer = threads.tracer,
                     .tty = stat.tty,
                     .kernel_thread = stat.kernel_thread,
                     .pending_trap = threads.pending_trap,
                     .comm = std::move(stat.comm),
                     .command_line = TRY(proc::ReadCommandLine(directory)),
                     .uid = status.uid,
                     .gid = status.gid,
                     .private_bytes = status.anonymous_bytes + status.swapped_bytes,
                     .shared_bytes = status.shared_bytes};
}

Result<ProcessTree> ReadProcessTree(pid_t root) {
  std::vector<pid_t> pids = TRY(ListTree(root));
  for (int reading = 1; reading < kMostReadings; ++reading) {
    std::vector<pid_t> again = TRY(ListTree(root));
    const bool stable = again == pids;
    pids = std::move(again);
    if (stable) break;
  }
  std::vector<TreeProcess> processes;
  processes.reserve(pids.size());
  for (const pid_t pid : pids) {
    Result<TreeProcess> process = ReadProcess(pid);
    if (process.ok()) {
      processes.push_back(std::move(process).value());
    } else if (pid == root || !Gone(process.error())) {
      return std::move(process).error();
    }
  }
  const std::uint64_t shared = MappedSharedBytes(processes);
  return ProcessTree(std::move(processes), shared);
}

std::vector<pid_t> ReadAncestors(pid_t pid) {
  std::vector<pid_t> ancestors;
  while (pid > 1) {
    const Result<proc::ProcDir> directory = proc::ProcDir::Open(pid);
    if (!directory.ok()) break;
    const Result<proc::Stat> stat = proc::ReadStat(directory.value());
    if (!stat.ok() || stat.value().ppid == 0) break;
    pid = stat.value().ppid;
    ancestors.push_back(pid);
  }
  return ancestors;
}

}  // namespace crd
