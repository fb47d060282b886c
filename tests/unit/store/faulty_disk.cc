#include "tests/unit/store/faulty_disk.h"

#include <cerrno>
#include <climits>

#include <sqlite3.h>

namespace crd::testing {
namespace {

// SQLite's interface has no place for an object of ours that its files could point to.
int left_until_failure = INT_MAX;
bool fails_for_good = false;
bool has_failed = false;

bool FailsNow() {
  if (left_until_failure == INT_MAX) return false;
  if (--left_until_failure > 0) return false;
  if (left_until_failure < 0 && !fails_for_good) return false;
  has_failed = true;
  errno = EIO;
  return true;
}

// Lies in front of the file of the true VFS, in one piece of memory.
struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }

int Close(sqlite3_file* file) { return Real(file)->pMethods->xClose(Real(file)); }
int Read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  return Real(file)->pMethods->xRead(Real(file), into, size, offset);
}
int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  if (FailsNow()) return SQLITE_IOERR_WRITE;
  return Real(file)->pMethods->xWrite(Real(file), from, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (FailsNow()) return SQLITE_IOERR_TRUNCATE;
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file*, int) {
  // Nobody cuts the power here, and a thousand true syncs take long.
  return FailsNow() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* locked) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), locked);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int DeviceCharacteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}

// Version 1 has no shared memory: with the exclusive lock the store must not need any.
const sqlite3_io_methods kMethods = {1,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     DeviceCharacteristics};

sqlite3_vfs* true_vfs = nullptr;
sqlite3_vfs faulty_vfs;

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int result = true_vfs->xOpen(true_vfs, name, Real(file), flags, out_flags);
  if (Real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return result;
}

}  // namespace

FaultyDisk::FaultyDisk() {
  true_vfs = sqlite3_vfs_find(nullptr);
  faulty_vfs = *true_vfs;
  faulty_vfs.zName = "faulty";
  faulty_vfs.szOsFile += static_cast<int>(sizeof(File));
  faulty_vfs.xOpen = Open;
  sqlite3_vfs_register(&faulty_vfs, 1);
  Repair();
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&faulty_vfs);
  sqlite3_vfs_register(true_vfs, 1);
}

void FaultyDisk::FailAt(int n, bool for_good) {
  left_until_failure = n;
  fails_for_good = for_good;
  has_failed = false;
}

void FaultyDisk::Repair() { left_until_failure = INT_MAX; }

bool FaultyDisk::HasFailed() const { return has_failed; }

}  // namespace crd::testing
