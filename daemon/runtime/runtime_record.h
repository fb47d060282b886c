#pragma once

#include <map>
#include <string>
#include <utility>

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
  enum class Use {
    kAsItIs,   // what the runtime has is true but for the process
    kMoved,    // the container is elsewhere now: what the runtime has is replaced
    kNewName,  // the runtime must not have it yet
  };
  // One that the runtime has forgotten is made anew from what it had at the checkpoint.
  // RUNTIME_FORGOT_CONTAINER where that is not known, RUNTIME_STATE_UNREADABLE,
  // CONTAINER_STILL_RUNS, RUNTIME_NAME_TAKEN.
  static Result<RuntimeRecord> Open(const SavedContainer& container, Use use = Use::kAsItIs);

  // Atomic: runtimes read either the old text or the new one.
  [[nodiscard]] Result<void> Name(const ProcessIdentity& process);
  // Puts the old text back, if another was written.
  void Undo();

 private:
  using Files = std::map<std::string, std::string>;
  RuntimeRecord(Kind kind, std::string path) : kind_(kind), path_(std::move(path)) {}
  [[nodiscard]] Result<void> Write(const Files& files) const;

  Kind kind_;
  std::string path_;  // of the state file; empty: there is none to keep
  Files before_;      // as they were found; empty: nothing was there
  Files files_;       // as they will be, but for the process
  bool written_ = false;
};

}  // namespace crd::runtime
