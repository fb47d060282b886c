#include "daemon/core/inspect_processes.h"

#include <set>
#include <utility>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace crd {
namespace {

constexpr const char* kKinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"};

// prlimit(2) lets a process without CAP_SYS_RESOURCE look only at those whose ids all are its own
// real ones, and CRIU asks for every limit of every process.
bool SameUser(const TreeProcess& process) {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  return process.uid.real == uid && process.uid.effective == uid && process.uid.saved == uid &&
         process.gid.real == gid && process.gid.effective == gid && process.gid.saved == gid;
}

std::string Name(pid_t pid) {
  const Result<TreeProcess> process = ReadProcess(pid);
  return process.ok() ? process.value().Describe() : fmt::format("process {}", pid);
}

}  // namespace

Result<Namespaces> ReadNamespaces(const proc::ProcDir& process) {
  Namespaces namespaces;
  for (const char* kind : kKinds) namespaces[kind] = TRY(proc::ReadNamespace(process, kind));
  namespaces["time_for_children"] = TRY(proc::ReadNamespace(process, "time_for_children"));
  return namespaces;
}

bool HasCapSysResource() { return ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1; }

bool MayReadLimitsOf(pid_t pid) {
  rlimit limit{};
  return ::prlimit(pid, RLIMIT_CORE, nullptr, &limit) == 0;
}

std::vector<Obstacle> InspectProcess(const TreeProcess& process, bool may_read_limits) {
  std::vector<Obstacle> obstacles;
  if (process.zombie()) {
    if (process.threads > 1) {
      obstacles.push_back({process.pid, refusal::ExitedMainThread(process)});
    }
    return obstacles;
  }
  if (process.tracer != 0) {
    obstacles.push_back({process.pid, refusal::Traced(process, Name(process.tracer))});
  }
  if (process.pending_trap) obstacles.push_back({process.pid, refusal::PendingTrap(process)});
  if (!may_read_limits && !SameUser(process)) {
    obstacles.push_back({process.pid, refusal::OtherUser(process)});
  }
  return obstacles;
}

std::vector<Obstacle> InspectSessions(const ProcessTree& tree, const criu::DumpOptions& options) {
  std::vector<Obstacle> obstacles;
  const TreeProcess& root = tree.root();
  const bool root_leads = root.sid == root.pid;
  for (const TreeProcess& process : tree.processes()) {
    if (process.sid == 0)
      obstacles.push_back({process.pid, refusal::SessionOutsideNamespace(process)});
  }
  if (!root_leads && root.sid != 0 && !options.shell_job) {
    obstacles.push_back({root.pid, refusal::NotSessionLeader(root)});
  }
  std::set<pid_t> seen;
  const auto check = [&](const TreeProcess& process, pid_t leader, pid_t of_root,
                         std::string_view what) {
    // With shell_job, what the root has from outside is replaced by what the restore has (criu 4.2,
    // pstree.c: prepare_pstree_for_shell_job).
    if (leader == 0 || tree.Contains(leader) || (!root_leads && leader == of_root)) return;
    if (!seen.insert(leader).second) return;
    // A leader that has ended is stood in for by a helper process with its pid.
    const Result<TreeProcess> outside = ReadProcess(leader);
    if (!outside.ok()) return;
    obstacles.push_back(
        {process.pid, refusal::LeaderOutside(process, what, outside.value().Describe())});
  };
  for (const TreeProcess& process : tree.processes()) {
    check(process, process.sid, root.sid, "session");
    check(process, process.pgid, root.pgid, "process group");
  }
  return obstacles;
}

Result<void> CheckRootNamespaces(const TreeProcess& root, const Namespaces& own,
                                 const Namespaces& of_root) {
  // CRIU can dump these too, but gives them back only to a container: a mount namespace needs a
  // root file system prepared for it, a user namespace comes with one, and in a pid namespace of
  // its own the tree would have other pids than before.
  for (const char* kind : {"mnt", "pid", "user"}) {
    if (of_root.at(kind) != own.at(kind)) return refusal::ForeignNamespace(root, kind);
  }
  return {};
}

std::vector<Obstacle> InspectNamespaces(const TreeProcess& process, const Namespaces& own,
                                        const Namespaces& of_root, const Namespaces& of_process) {
  std::vector<Obstacle> obstacles;
  for (const char* kind : kKinds) {
    const ino_t inode = of_process.at(kind);
    bool allowed = inode == of_root.at(kind);
    // criu 4.2: any number of network namespaces if the root has one of its own (pstree.c:
    // prepare_pstree_kobj_ids); crd's own cgroup namespace is always known.
    if (std::string_view(kind) == "net") allowed |= of_root.at(kind) != own.at(kind);
    if (std::string_view(kind) == "cgroup") allowed |= inode == own.at(kind);
    if (!allowed) obstacles.push_back({process.pid, refusal::NestedNamespace(process, kind)});
  }
  if (of_process.at("time_for_children") != of_process.at("time")) {
    obstacles.push_back({process.pid, refusal::NestedNamespace(process, "time_for_children")});
  }
  return obstacles;
}

}  // namespace crd
