#pragma once

#include <string>

#include "daemon/base/children.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// Where CRIU looks for what it has found out about the kernel (as of 4.3; compiled in).
inline constexpr char kKernelCachePath[] = "/run/criu.kdat";

// Spares CRIU the ~30 ms that it takes to probe the kernel before every action. CRIU keeps the
// answers in /run/criu.kdat, but writes that file on a tmpfs only, because one that survives a
// reboot would be believed: it checks the file against its own build, never against the kernel.
// Where /run is another file system, this puts there what a `criu check` with a tmpfs for /run
// wrote, and keeps a copy in `cache_dir` whose key (boot, kernel release, CRIU binary) tells at the
// next start whether it still holds.
//
// A file at `path` that is not byte for byte ours goes, with one exception: on a tmpfs a private
// file of root's stays, for it is of this boot, and CRIU itself replaces it when its build differs.
//
// True when the file was put there, false when there was nothing to do (then no CRIU is started;
// takes under 2 ms). An error is a reason for slower actions and for nothing else; no file that
// might be stale stays behind. Needs CAP_SYS_ADMIN to generate. Blocks up to 15 s; any thread may
// call it, but not two at once for one `path`.
Result<bool> PrimeKernelCache(Children& children, const std::string& criu_path, FdRef cache_dir,
                              const std::string& path = kKernelCachePath);

}  // namespace crd::criu
