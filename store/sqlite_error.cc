#include "store/sqlite_error.h"

#include <cstring>

#include <sqlite3.h>

namespace crd::store {
namespace {

struct Meaning {
  Code code = Code::kInternal;
  const char* reason = "";
  const char* hint = "";
};

constexpr Meaning kFull{
    .code = Code::kResourceExhausted,
    .reason = "STORE_FULL",
    .hint = "free some space on its file system (or raise the quota), then try again"};
constexpr Meaning kReadOnly{
    .code = Code::kFailedPrecondition,
    .reason = "STORE_READ_ONLY",
    .hint = "it is on something read-only: make its file system and directory writable"};
constexpr Meaning kCannotOpen{.code = Code::kFailedPrecondition,
                              .reason = "STORE_CANNOT_OPEN",
                              .hint = "check its directory, owner and permissions"};
constexpr Meaning kInUse{.code = Code::kFailedPrecondition,
                         .reason = "STORE_IN_USE",
                         .hint = "stop the other process or choose another state directory"};
constexpr Meaning kDamaged{.code = Code::kDataLoss,
                           .reason = "STORE_DAMAGED",
                           .hint =
                               "stop crd, keep a copy of the file and of its '-wal' beside it, "
                               "and put a good copy in their place"};

Meaning MeaningOfErrno(int sys_errno) {
  switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return kFull;
    case EROFS:
      return kReadOnly;
    default:
      return Meaning{.code = Code::kInternal,
                     .reason = "",
                     .hint = "look for errors of the disk in the kernel's log"};
  }
}

Meaning MeaningOf(int result, int sys_errno) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return kFull;
    case SQLITE_READONLY:
      return kReadOnly;
    case SQLITE_CANTOPEN:
      return sys_errno == EROFS ? kReadOnly : kCannotOpen;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return kCannotOpen;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return kInUse;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return kDamaged;
    case SQLITE_IOERR:
      return result == SQLITE_IOERR_CORRUPTFS ? kDamaged : MeaningOfErrno(sys_errno);
    case SQLITE_NOMEM:
      return Meaning{.code = Code::kResourceExhausted};
    case SQLITE_TOOBIG:
      return Meaning{.code = Code::kInvalidArgument};
    case SQLITE_CONSTRAINT:
      return Meaning{.code = result == SQLITE_CONSTRAINT_UNIQUE ||
                                     result == SQLITE_CONSTRAINT_PRIMARYKEY
                                 ? Code::kAlreadyExists
                                 : Code::kInternal};
    default:
      return Meaning{};
  }
}

}  // namespace

Error SqliteError(sqlite3* connection, int result) {
  const int saved = errno;
  // Other failures have no system call behind them, whatever one that went well may have left.
  const bool has_errno = (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
  const int sys_errno = has_errno ? saved : 0;
  const Meaning meaning = MeaningOf(result, sys_errno);
  const char* path = sqlite3_db_filename(connection, "main");
  const char* why = sqlite3_extended_errcode(connection) == result ? sqlite3_errmsg(connection)
                                                                   : sqlite3_errstr(result);
  std::string message =
      fmt::format("database '{}': {} (SQLite result {})", path == nullptr ? "" : path, why, result);
  if (sys_errno != 0 && strerrordesc_np(sys_errno) != nullptr) {
    message += fmt::format(": {}", strerrordesc_np(sys_errno));
  }
  return Error{.code = meaning.code,
               .reason = meaning.reason,
               .message = std::move(message),
               .hint = meaning.hint,
               .sys_errno = sys_errno};
}

}  // namespace crd::store
