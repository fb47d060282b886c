#include "daemon/core/inspect_streams.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/base/proc.h"
#include "daemon/core/terminals.h"

namespace crd {
namespace {

// One pipe, as far as the tree has it.
struct PipeEnds {
  bool readable = false;
  bool writable = false;
  const Descriptor* first = nullptr;
  const Descriptor* writer = nullptr;
  const Descriptor* standard_stream = nullptr;
};

// In the order in which the tree has them: what is reported is stable.
std::vector<std::pair<ino_t, PipeEnds>> CollectPipes(const std::vector<Descriptor>& descriptors) {
  std::vector<std::pair<ino_t, PipeEnds>> pipes;
  std::map<ino_t, std::size_t> index;
  for (const Descriptor& descriptor : descriptors) {
    if (descriptor.kind != Descriptor::Kind::kPipe) continue;
    const auto [at, is_new] = index.emplace(descriptor.inode, pipes.size());
    if (is_new) pipes.emplace_back(descriptor.inode, PipeEnds{});
    PipeEnds& ends = pipes[at->second].second;
    ends.readable |= descriptor.readable;
    ends.writable |= descriptor.writable;
    if (ends.first == nullptr) ends.first = &descriptor;
    if (ends.writer == nullptr && descriptor.writable) ends.writer = &descriptor;
    if (ends.standard_stream == nullptr && descriptor.standard_stream()) {
      ends.standard_stream = &descriptor;
    }
  }
  return pipes;
}

// pipe2(O_DIRECT) marks the end that is written to.
bool IsPacketPipe(const Descriptor& descriptor) {
  const Result<proc::ProcDir> process = proc::ProcDir::Open(descriptor.pid);
  if (!process.ok()) return false;
  const Result<proc::FdInfo> info = proc::ReadFdInfo(process.value(), descriptor.fd);
  return info.ok() && (info.value().flags & O_DIRECT) != 0;
}

// A terminal device of the tree.
struct TerminalUse {
  const Descriptor* descriptor = nullptr;
  FileStatus status;
};

std::vector<TerminalUse> CollectTerminals(const std::vector<Descriptor>& descriptors) {
  std::vector<TerminalUse> uses;
  for (const Descriptor& descriptor : descriptors) {
    if (descriptor.link.rfind("/dev/", 0) != 0) continue;
    const Result<proc::ProcDir> process = proc::ProcDir::Open(descriptor.pid);
    if (!process.ok()) continue;
    const Result<FileStatus> status =
        ReadFileStatus(process.value(), fmt::format("fd/{}", descriptor.fd));
    if (!status.ok() || !S_ISCHR(status.value().mode) || !IsTerminal(status.value().rdev)) continue;
    uses.push_back({.descriptor = &descriptor, .status = status.value()});
  }
  return uses;
}

// The N of the /dev/pts/N that a master drives; fdinfo's "tty-index" (Linux 4.15).
std::optional<unsigned> SlaveIndex(const Descriptor& master) {
  const Result<proc::ProcDir> process = proc::ProcDir::Open(master.pid);
  if (!process.ok()) return std::nullopt;
  const Result<proc::FdInfo> info = proc::ReadFdInfo(process.value(), master.fd);
  if (!info.ok()) return std::nullopt;
  const std::optional<std::string> text = proc::Field(info.value().text, "tty-index");
  unsigned index = 0;
  if (!text.has_value() ||
      std::from_chars(text->data(), text->data() + text->size(), index).ec != std::errc()) {
    return std::nullopt;
  }
  return index;
}

}  // namespace

void Findings::Append(Findings other) {
  const auto move = [](auto& from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move(other.obstacles, obstacles);
  move(other.stdio, stdio);
  move(other.external, external);
  move(other.remapped, remapped);
  move(other.sockets, sockets);
  console = console || other.console;
}

Findings InspectPipes(const ProcessTree& tree, const std::vector<Descriptor>& descriptors) {
  Findings findings;
  std::map<ino_t, PipeEnds> doubtful;
  for (const auto& [inode, ends] : CollectPipes(descriptors)) {
    if (ends.writer != nullptr && IsPacketPipe(*ends.writer)) {
      findings.obstacles.push_back(
          {ends.writer->pid, refusal::PacketPipe(*tree.Find(ends.writer->pid), ends.writer->fd)});
    }
    if (ends.readable && ends.writable) continue;
    if (ends.standard_stream == nullptr) {
      doubtful.emplace(inode, ends);
      continue;
    }
    findings.stdio.push_back({.kind = StdioLink::Kind::kPipe,
                              .key = ends.standard_stream->link,
                              .pid = ends.standard_stream->pid,
                              .fd = ends.standard_stream->fd,
                              .readable = ends.readable,
                              .writable = ends.writable});
  }
  std::set<ino_t> inodes;
  for (const auto& [inode, ends] : doubtful) inodes.insert(inode);
  for (const OutsideHolder& holder : FindHolders(tree, inodes, {})) {
    const auto found = doubtful.find(holder.inode);
    if (found == doubtful.end()) continue;
    const PipeEnds& ends = found->second;
    if (!(ends.readable ? holder.writable : holder.readable)) continue;
    findings.obstacles.push_back(
        {ends.first->pid, refusal::PipeOutside(*tree.Find(ends.first->pid), ends.first->fd,
                                               ends.first->link, holder.Describe())});
    doubtful.erase(found);
  }
  return findings;
}

Findings InspectTerminals(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                          const criu::DumpOptions& options, dev_t own_terminals) {
  Findings findings;
  const std::vector<TerminalUse> uses = CollectTerminals(descriptors);
  std::set<unsigned> driven_inside;
  for (const TerminalUse& use : uses) {
    if (!IsPtyMaster(use.status.rdev)) continue;
    if (const auto index = SlaveIndex(*use.descriptor)) driven_inside.insert(*index);
  }
  std::set<dev_t> outside;
  for (const TerminalUse& use : uses) {
    const Descriptor& descriptor = *use.descriptor;
    if (!IsPtySlave(use.status.rdev) || driven_inside.count(minor(use.status.rdev)) > 0) continue;
    if (!outside.insert(use.status.rdev).second) continue;
    const TreeProcess& process = *tree.Find(descriptor.pid);
    const bool console = own_terminals != 0 && use.status.device == own_terminals;
    if (!console && !options.shell_job) {
      findings.obstacles.push_back(
          {process.pid, refusal::TerminalOutside(process, descriptor.fd, descriptor.link)});
    } else if (outside.size() > 1) {
      findings.obstacles.push_back(
          {process.pid, refusal::SecondTerminal(process, descriptor.fd, descriptor.link)});
    } else if (console) {
      findings.console = true;
    } else {
      const std::string key = fmt::format("tty[{:x}:{:x}]", use.status.rdev, use.status.device);
      findings.external.push_back(key);
      findings.stdio.push_back({.kind = StdioLink::Kind::kTerminal,
                                .key = key,
                                .pid = process.pid,
                                .fd = descriptor.fd,
                                .readable = descriptor.readable,
                                .writable = descriptor.writable});
    }
  }
  return findings;
}

dev_t OwnTerminals(pid_t root) {
  struct stat own {};
  struct stat hosts {};
  const std::string path = fmt::format("/proc/{}/root/dev/pts", root);
  if (::stat(path.c_str(), &own) != 0 || ::stat("/dev/pts", &hosts) != 0) return 0;
  return own.st_dev == hosts.st_dev ? 0 : own.st_dev;
}

}  // namespace crd
