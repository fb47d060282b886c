#include "store/database.h"

#include <cassert>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "store/lock_holder.h"
#include "store/sqlite_error.h"

namespace crd::store {
namespace {

// quick_check reads every page, at about 2 ms per MiB; beyond this size it would be felt. Damage in
// a bigger file shows when the damaged page is read.
constexpr std::int64_t kCheckedAtOpenBytes = std::int64_t{16} << 20U;

// EXCLUSIVE before the first access also keeps the index of the log in memory: no -shm file.
constexpr char kPragmas[] = R"sql(
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA temp_store = MEMORY;
)sql";

Error CannotOpen(Error error) {
  // Of a missing directory or a wrong owner the operator has to hear as of a state to put right,
  // not as of an object that was asked for.
  if (error.code != Code::kResourceExhausted) error.code = Code::kFailedPrecondition;
  error.reason = error.sys_errno == EROFS ? "STORE_READ_ONLY" : "STORE_CANNOT_OPEN";
  return std::move(error).WithHint("check its directory, owner, permissions and file system");
}

// SQLite itself would create the file with mode 0644 less the umask. It gives the log the mode of
// the file.
Result<void> CreateOrProtect(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.valid()) {
    if (::fchmod(fd.get(), 0600) != 0) return Error::Errno("set mode of '{}'", path);
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    return Sync(TRY(OpenDirectory(parent)).ref(), parent);
  }
  if (errno != EEXIST) return Error::Errno("create database '{}'", path);
  // By name, for a descriptor's close would drop the locks of another connection of this process.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Error::Errno("stat database '{}'", path);
  if (!S_ISREG(status.st_mode)) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("open database '{}': not a regular file", path)};
  }
  if ((status.st_mode & 0777U) != 0600 && ::chmod(path.c_str(), 0600) != 0) {
    return Error::Errno("set mode of database '{}'", path);
  }
  return {};
}

Error InUse(const std::string& path, Error error) {
  const std::optional<pid_t> holder = LockHolder(path);
  error.message = fmt::format("database '{}': another crd{} uses it", path,
                              holder.has_value() ? fmt::format(" (process {})", *holder) : "");
  return error;
}

}  // namespace

void Database::Finalize::operator()(sqlite3_stmt* prepared) const { sqlite3_finalize(prepared); }

Result<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  if (Result<void> created = CreateOrProtect(path); !created.ok()) {
    return CannotOpen(std::move(created).error());
  }
  sqlite3* connection = nullptr;
  errno = 0;
  // No mutexes: the owner serialises. Extended result codes from the first call on.
  const int result =
      sqlite3_open_v2(path.c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (connection == nullptr) return Error::Internal("open database '{}': out of memory", path);
  auto database = std::make_unique<Database>(connection);
  if (result != SQLITE_OK) return SqliteError(connection, result).Annotated("open");
  // SQLite falls back to reading only when the file cannot be opened for writing.
  if (sqlite3_db_readonly(connection, "main") == 1) {
    return SqliteError(connection, SQLITE_READONLY).Annotated("open");
  }
  Result<void> ready = database->Configure();
  if (ready.ok()) ready = database->CheckPages();
  if (ready.ok()) return database;
  Error error = std::move(ready).error();
  if (error.reason == "STORE_IN_USE") error = InUse(path, std::move(error));
  return std::move(error).Annotated("open");
}

Database::~Database() {
  statements_.clear();
  [[maybe_unused]] const int result = sqlite3_close(connection_);
  assert(result == SQLITE_OK);
}

Result<void> Database::Configure() {
  TRY(Execute(kPragmas));
  const std::string mode = TRY(QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return Error::Internal("database '{}': stays in journal mode '{}' instead of 'wal'", path(),
                           mode);
  }
  return SetSync(true);
}

Result<void> Database::SetSync(bool sync) {
  if (sync == sync_) return {};
  // With a log, NORMAL may lose the last commits with the power, but nothing else.
  TRY(Execute(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  sync_ = sync;
  return {};
}

Result<void> Database::CheckPages() {
  const std::int64_t pages = TRY(QueryInteger("PRAGMA page_count"));
  const std::int64_t page_size = TRY(QueryInteger("PRAGMA page_size"));
  if (pages > kCheckedAtOpenBytes / page_size) return {};
  const std::string verdict = TRY(QueryText("PRAGMA quick_check(1)"));
  if (verdict == "ok") return {};
  return SqliteError(connection_, SQLITE_CORRUPT).Annotated(verdict);
}

Result<Database::Prepared> Database::Compile(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  errno = 0;
  const int result = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Prepared prepared(raw);
  if (result != SQLITE_OK) return SqliteError(connection_, result);
  return prepared;
}

Result<Statement> Database::Prepare(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    found = statements_.emplace(std::string(sql), TRY(Compile(sql))).first;
  }
  assert(sqlite3_stmt_busy(found->second.get()) == 0);
  return Statement(found->second.get());
}

Result<void> Database::Execute(const std::string& sql) {
  errno = 0;
  const int result = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return SqliteError(connection_, result);
  return {};
}

Result<std::int64_t> Database::QueryInteger(std::string_view sql) {
  const Prepared prepared = TRY(Compile(sql));
  Statement statement(prepared.get());
  if (!TRY(statement.Step())) return Error::Internal("database '{}': no answer: {}", path(), sql);
  const std::int64_t answer = statement.Integer(0);
  TRY(statement.Run());
  return answer;
}

Result<std::string> Database::QueryText(std::string_view sql) {
  const Prepared prepared = TRY(Compile(sql));
  Statement statement(prepared.get());
  if (!TRY(statement.Step())) return Error::Internal("database '{}': no answer: {}", path(), sql);
  std::string answer = statement.Text(0);
  // A change of the journal mode answers first and is committed by the next step.
  TRY(statement.Run());
  return answer;
}

void Database::RollBack() {
  // After a full disk or an I/O error SQLite may have rolled back already.
  if (sqlite3_get_autocommit(connection_) == 0) {
    sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

std::string Database::path() const { return sqlite3_db_filename(connection_, "main"); }

}  // namespace crd::store
