#pragma once

#include <daemon/criu/criu_rpc.pb.h>

#include "daemon/base/result.h"
#include "daemon/criu/criu.h"

namespace crd::criu {

// Names of what CRIU writes into its work directory.
inline constexpr char kDumpLog[] = "dump.log";
inline constexpr char kRestoreLog[] = "restore.log";

// Inherited descriptor i of a restore has this number plus i inside CRIU. Above 0-2 and the
// connection, below what Children::Launch() can hand over.
inline constexpr int kFirstInherited = 10;
inline constexpr int kMaxInherited = 50;

// What is asked of CRIU, in its words. Pure. Refused with kInvalidArgument: what its messages
// cannot carry.
Result<criu_rpc::criu_opts> DumpOptionsFor(const DumpRequest& request);
Result<criu_rpc::criu_opts> RestoreOptionsFor(const RestoreRequest& request);

}  // namespace crd::criu
