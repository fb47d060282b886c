#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/proc.h"
#include "daemon/core/descriptors.h"
#include "daemon/core/inspect_processes.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/obstacles.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd {

// Looks at the files, devices and kernel objects that the processes of one tree have open or
// mapped. For processes in crd's own mount namespace. Belongs to one preflight; keeps what it has
// looked up.
class FileInspector {
 public:
  // `own`: crd's namespaces. All that is passed must outlive this.
  FileInspector(const ProcessTree& tree, const criu::DumpOptions& options, const Namespaces& own,
                const Namespaces& of_root)
      : tree_(tree), options_(options), own_(own), of_root_(of_root) {}

  // Everything but pipes, sockets and terminals. What vanishes meanwhile is skipped.
  std::vector<Obstacle> Inspect(const TreeProcess& process, const proc::ProcDir& directory,
                                const std::vector<Descriptor>& descriptors);
  // With link_remap: the files seen so far for which CRIU will make a name.
  [[nodiscard]] const std::vector<RemappedFile>& remapped() const { return remapped_; }

 private:
  std::optional<Error> CheckDescriptor(const TreeProcess& process, const proc::ProcDir& directory,
                                       const std::vector<Descriptor>& all,
                                       const Descriptor& descriptor);
  std::optional<Error> CheckPath(const TreeProcess& process, const std::string& where,
                                 const std::string& path, const FileStatus& status);
  std::optional<Error> CheckDevice(const TreeProcess& process, const std::string& where,
                                   const std::string& path, const FileStatus& status) const;
  std::optional<Error> CheckLock(const TreeProcess& process, const proc::ProcDir& directory,
                                 const Descriptor& descriptor, const FileStatus& status);
  std::optional<Error> CheckMapping(const TreeProcess& process, const proc::ProcDir& directory,
                                    const proc::Mapping& mapping);
  [[nodiscard]] bool MountIsVisible(std::uint64_t mount);
  [[nodiscard]] bool NamespaceIsKnown(ino_t inode);
  const Result<FileStatus>& CachedLookUp(const std::string& path, bool is_link);

  const ProcessTree& tree_;
  const criu::DumpOptions& options_;
  const Namespaces& own_;
  const Namespaces& of_root_;
  std::map<std::pair<std::string, bool>, Result<FileStatus>> looked_up_;
  std::optional<std::set<ino_t>> namespaces_;      // that the tree or crd is in
  std::optional<std::set<std::uint64_t>> mounts_;  // of crd's mount namespace
  std::optional<std::set<ino_t>> locked_;          // files that somebody has locked
  std::vector<RemappedFile> remapped_;
  std::set<std::pair<dev_t, ino_t>> reported_files_;  // so that each is named once
};

}  // namespace crd
