#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "store/statement.h"

struct sqlite3;

namespace crd::store {

// One SQLite connection to one file, exclusively ours from Open() to the destructor, which moves
// what the write-ahead log holds into the file and removes the log. Not thread-safe.
class Database {
 public:
  // Opens the file or creates an empty one, mode 0600 whatever the umask. Leaves its content alone
  // apart from the journal mode, and does not look at the schema.
  // Refuses with STORE_IN_USE, STORE_READ_ONLY, STORE_CANNOT_OPEN or STORE_DAMAGED.
  static Result<std::unique_ptr<Database>> Open(const std::string& path);

  explicit Database(sqlite3* connection) : connection_(connection) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // A statement that is prepared once and kept. One text is in use once at a time.
  Result<Statement> Prepare(std::string_view sql);
  // Runs statements that return nothing, once.
  Result<void> Execute(const std::string& sql);
  // The first column of the only row; one-off questions such as pragmas.
  Result<std::int64_t> QueryInteger(std::string_view sql);
  Result<std::string> QueryText(std::string_view sql);

  // Whether a commit waits for the disk. One that does makes those before it durable, too.
  Result<void> SetSync(bool sync);

  // Ends the open transaction, if there is one, without its changes.
  void RollBack();

  [[nodiscard]] std::string path() const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* prepared) const;
  };
  using Prepared = std::unique_ptr<sqlite3_stmt, Finalize>;

  Result<void> Configure();
  Result<void> CheckPages();
  Result<Prepared> Compile(std::string_view sql);

  sqlite3* connection_;
  bool sync_ = false;
  std::map<std::string, Prepared, std::less<>> statements_;
};

}  // namespace crd::store
