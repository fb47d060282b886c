#pragma once

#include <string>
#include <string_view>

#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"
#include "daemon/runtime/container.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// Reading and rewriting of the runtimes' state files: runc's `state.json` (libcontainer's State; as
// of runc 1.1.15) and crun's `status` (as of crun 1.21). Pure.

// `id` is the name of the directory that it lies in. kDataLoss for what is no such state;
// kUnimplemented for one that a version of the runtime wrote which crd does not know: it has
// members that crd would have to keep true, or follows another version of the specification. Known
// are those of runc 1.1 (specification 1.0 to 1.2) and of crun 1.8 to 1.21.
Result<RuntimeState> ParseState(Kind kind, std::string_view id, std::string_view text);

// The same state with another process as the container's init: its pid, its start time, and, in
// runc's, the paths of its namespaces, which `runc exec` enters. Everything else stays as it is,
// also what crd does not know.
Result<std::string> WithProcess(Kind kind, std::string_view text, const ProcessIdentity& process);

// Where a container has moved to.
struct Place {
  std::string id;
  std::string bundle;
  std::string rootfs;
  std::vector<CgroupPlace> old_cgroups;  // one by one those of `cgroups`
  std::vector<CgroupPlace> cgroups;
};
// The same state for a container of that place. Paths of cgroups are told by their ends: the
// runtime may see them under another mount than crd.
Result<std::string> WithPlace(Kind kind, std::string_view text, const Place& place);

// systemd made the container's cgroups, as a unit that ends with it.
Result<bool> CgroupsAreManaged(Kind kind, std::string_view text);
// The same, of what a checkpoint keeps of its state.
bool CgroupsAreManaged(const SavedContainer& container);

}  // namespace crd::runtime
