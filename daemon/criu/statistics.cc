#include "daemon/criu/statistics.h"

#include <daemon/criu/criu_images.pb.h>

#include "daemon/criu/record_file.h"

namespace crd::criu {
namespace {

Result<criu_images::stats_entry> ReadEntry(FdRef work, const std::string& name) {
  const auto records = TRY(ReadRecords(work, name, {0x55105940, 0x57093306}, 1));
  criu_images::stats_entry entry;
  if (records.empty() || !entry.ParseFromString(records.front())) {
    return DamagedFile(name, "its figures cannot be read");
  }
  return entry;
}

}  // namespace

Result<DumpStatistics> ReadDumpStatistics(FdRef work) {
  const auto entry = TRY(ReadEntry(work, kDumpStatisticsFile));
  if (!entry.has_dump()) return DamagedFile(kDumpStatisticsFile, "it has no figures of a dump");
  return DumpStatistics{.freezing_us = entry.dump().freezing_time(),
                        .frozen_us = entry.dump().frozen_time(),
                        .memdump_us = entry.dump().memdump_time(),
                        .memwrite_us = entry.dump().memwrite_time(),
                        .pages_scanned = entry.dump().pages_scanned(),
                        .pages_written = entry.dump().pages_written()};
}

Result<RestoreStatistics> ReadRestoreStatistics(FdRef work) {
  const auto entry = TRY(ReadEntry(work, kRestoreStatisticsFile));
  if (!entry.has_restore()) {
    return DamagedFile(kRestoreStatisticsFile, "it has no figures of a restore");
  }
  return RestoreStatistics{.forking_us = entry.restore().forking_time(),
                           .restore_us = entry.restore().restore_time(),
                           .pages_restored = entry.restore().pages_restored()};
}

}  // namespace crd::criu
