#include "daemon/core/preflight.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/base/proc.h"
#include "daemon/core/errors.h"
#include "daemon/core/inspect_files.h"
#include "daemon/core/inspect_processes.h"
#include "daemon/core/inspect_sockets.h"
#include "daemon/core/inspect_streams.h"

namespace crd {
namespace {

// The process that `root` names, unless it can't be a target at all.
Result<TreeProcess> ReadTarget(pid_t root) {
  if (root <= 0) return refusal::InvalidPid(root);
  if (root == 1) return refusal::InitProcess();
  Result<TreeProcess> process = ReadProcess(root);
  if (!process.ok() && process.error().code == Code::kNotFound) {
    return refusal::NoSuchProcess(root);
  }
  if (!process.ok()) return process;
  if (process.value().kernel_thread) return refusal::KernelThread(process.value());
  // /proc/TID works for threads too, though it is not listed.
  const proc::ProcDir directory = TRY(proc::ProcDir::Open(root));
  const proc::Status status = TRY(proc::ReadStatus(directory));
  if (status.tgid != root) {
    return refusal::ThreadNotProcess(root, TRY(ReadProcess(status.tgid)));
  }
  if (process.value().zombie()) {
    return process.value().threads > 1 ? refusal::ExitedMainThread(process.value())
                                       : refusal::Zombie(process.value());
  }
  return process;
}

Result<void> CheckBusy(const TreeProcess& root, const PreflightContext& context) {
  const std::vector<pid_t> above_crd = ReadAncestors(context.self);
  if (root.pid == context.self ||
      std::find(above_crd.begin(), above_crd.end(), root.pid) != above_crd.end()) {
    return refusal::DaemonInTree(root);
  }
  if (context.busy.empty()) return {};
  for (const pid_t ancestor : ReadAncestors(root.pid)) {
    if (context.busy.contains(ancestor)) return refusal::InsideBusyTree(root, ancestor);
  }
  const auto itself = context.busy.find(root.pid);
  if (itself != context.busy.end()) return errors::TreeBusy(root.pid, itself->second);
  for (const auto& [busy, operation] : context.busy) {
    const std::vector<pid_t> ancestors = ReadAncestors(busy);
    if (std::find(ancestors.begin(), ancestors.end(), root.pid) != ancestors.end()) {
      return refusal::ContainsBusyTree(root, busy);
    }
  }
  return {};
}

// Looks at each process of a tree by itself, and gathers what has to be looked at across them.
class TreeInspector {
 public:
  TreeInspector(const ProcessTree& tree, const criu::DumpOptions& options, Namespaces own,
                Namespaces of_root, dev_t own_terminals)
      : tree_(tree),
        options_(options),
        own_(std::move(own)),
        of_root_(std::move(of_root)),
        own_terminals_(own_terminals) {}

  Findings Run() && {
    FileInspector files(tree_, options_, own_, of_root_);
    Add(InspectSessions(tree_, options_));
    const bool may_read_limits = HasCapSysResource();
    for (const TreeProcess& process : tree_.processes()) {
      Add(InspectProcess(process, may_read_limits || MayReadLimitsOf(process.pid)));
      if (!process.zombie()) InspectInside(process, files);
    }
    findings_.remapped = files.remapped();
    findings_.Append(InspectPipes(tree_, descriptors_));
    findings_.Append(InspectTerminals(tree_, descriptors_, options_, own_terminals_));
    findings_.Append(InspectSockets(tree_, descriptors_, options_));
    return std::move(findings_);
  }

 private:
  void InspectInside(const TreeProcess& process, FileInspector& files) {
    const Result<proc::ProcDir> directory = proc::ProcDir::Open(process.pid);
    if (!directory.ok()) return;
    const Result<Namespaces> namespaces = ReadNamespaces(directory.value());
    Result<std::vector<Descriptor>> descriptors = ReadDescriptors(directory.value());
    if (!namespaces.ok() || !descriptors.ok()) return;
    Add(InspectNamespaces(process, own_, of_root_, namespaces.value()));
    // What a path means in another mount namespace can't be told from here; that it is in one is
    // refused already.
    if (namespaces.value().at("mnt") == own_.at("mnt")) {
      Add(files.Inspect(process, directory.value(), descriptors.value()));
    }
    descriptors_.insert(descriptors_.end(), std::make_move_iterator(descriptors.value().begin()),
                        std::make_move_iterator(descriptors.value().end()));
  }

  void Add(std::vector<Obstacle> obstacles) {
    findings_.Append({.obstacles = std::move(obstacles)});
  }

  const ProcessTree& tree_;
  const criu::DumpOptions& options_;
  const Namespaces own_;
  const Namespaces of_root_;
  const dev_t own_terminals_;
  std::vector<Descriptor> descriptors_;  // of all processes, root first
  Findings findings_;
};

Result<Namespaces> NamespacesOf(pid_t pid) {
  const proc::ProcDir directory = TRY(proc::ProcDir::Open(pid));
  return ReadNamespaces(directory);
}

}  // namespace

Result<Preflight> InspectTree(pid_t root, const criu::DumpOptions& options,
                              const PreflightContext& context) {
  const TreeProcess target = TRY(ReadTarget(root));
  TRY(CheckBusy(target, context));
  Namespaces own = TRY(NamespacesOf(context.self));
  Namespaces of_root = TRY(NamespacesOf(root));
  if (!context.container) TRY(CheckRootNamespaces(target, own, of_root));

  ProcessTree tree = TRY(ReadProcessTree(root));
  const dev_t own_terminals = context.container ? OwnTerminals(root) : 0;
  Findings findings =
      TreeInspector(tree, options, std::move(own), std::move(of_root), own_terminals).Run();
  const std::uint64_t memory = tree.MemoryBytes();
  std::optional<TreeNetwork> network;
  // What a container's is its config.json tells.
  if (!context.container) network = TRY(ReadTreeNetwork(root));
  if (network.has_value()) {
    if (auto whole = CheckReproducible(*network, options.network); !whole.ok()) {
      findings.obstacles.push_back({root, std::move(whole).error()});
    }
  }
  return Preflight{.tree = std::move(tree),
                   .obstacles = std::move(findings.obstacles),
                   .stdio = std::move(findings.stdio),
                   .external = std::move(findings.external),
                   .remapped = std::move(findings.remapped),
                   .network = std::move(network),
                   .sockets = std::move(findings.sockets),
                   .console = findings.console,
                   .memory_bytes = memory};
}

}  // namespace crd
