#pragma once

#include <string>

#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// What a runtime believes of a restored container. Belongs to one restore.
//
// runc (1.1.5 and 1.1.15) and crun (1.8.1 and 1.21) keep no process of their own: a container runs
// if the process that its state file names lives and began when the file says. So a restored
// container is made theirs by naming the new process there; a file that names a process that has
// ended meanwhile reads as "stopped", and needs no undoing after a crash.
class RuntimeRecord {
 public:
  // RUNTIME_FORGOT_CONTAINER, RUNTIME_STATE_UNREADABLE, CONTAINER_STILL_RUNS.
  static Result<RuntimeRecord> Open(const SavedContainer& container);

  // Atomic: runtimes read either the old text or the new one.
  [[nodiscard]] Result<void> Name(const ProcessIdentity& process);
  // Puts the old text back, if another was written.
  void Undo();

 private:
  RuntimeRecord(Kind kind, std::string path, std::string text)
      : kind_(kind), path_(std::move(path)), text_(std::move(text)) {}
  [[nodiscard]] Result<void> Write(const std::string& text) const;

  Kind kind_;
  std::string path_;
  std::string text_;  // as it was found
  bool written_ = false;
};

}  // namespace crd::runtime
