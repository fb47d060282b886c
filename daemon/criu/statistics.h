#pragma once

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/criu/criu.h"

namespace crd::criu {

// Names of CRIU's figures in its work directory.
inline constexpr char kDumpStatisticsFile[] = "stats-dump";
inline constexpr char kRestoreStatisticsFile[] = "stats-restore";

// Fail with kDataLoss when CRIU wrote none, or none that make sense.
Result<DumpStatistics> ReadDumpStatistics(FdRef work);
Result<RestoreStatistics> ReadRestoreStatistics(FdRef work);

}  // namespace crd::criu
