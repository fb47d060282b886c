#include "daemon/core/import.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/core/errors.h"
#include "daemon/core/foreign_images.h"
#include "daemon/core/json.h"
#include "daemon/criu/image_check.h"
#include "daemon/criu/images.h"
#include "daemon/runtime/stand_in.h"

namespace crd {
namespace {

constexpr const char* kStreams = "descriptors.json";

bool Has(FdRef images, const char* name) {
  return ::faccessat(images.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool AnyStartsWith(const std::vector<std::string>& names, std::string_view beginning) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name.starts_with(beginning); });
}

// What runc and crun write down of descriptors 0, 1 and 2 of a container's init.
Result<std::vector<StdioLink>> ReadStreams(FdRef images) {
  std::vector<StdioLink> links;
  if (!Has(images, kStreams)) return links;
  const auto list = ParseJson(TRY(ReadFileAt(images, kStreams)), kStreams);
  if (!list.ok() || !list->is_array()) return links;
  for (std::size_t fd = 0; fd < std::min<std::size_t>(list->size(), 3); ++fd) {
    const auto& entry = (*list)[fd];
    const std::string link = entry.is_string() ? entry.get<std::string>() : "";
    const bool pipe = link.starts_with("pipe:[") && link.ends_with("]");
    const bool socket = link.starts_with("socket:[") && link.ends_with("]");
    const bool known = std::any_of(links.begin(), links.end(),
                                   [&](const StdioLink& one) { return one.key == link; });
    if ((!pipe && !socket) || known) continue;
    links.push_back({.kind = pipe ? StdioLink::Kind::kPipe : StdioLink::Kind::kSocket,
                     .key = link,
                     .pid = 1,
                     .fd = static_cast<int>(fd),
                     .readable = fd == 0 || socket,
                     .writable = fd != 0 || socket});
  }
  return links;
}

class Importing {
 public:
  Importing(const EngineParts& parts, Operation& operation, const ImportRequest& request)
      : parts_(parts), operation_(operation), request_(request) {}

  OperationRecord Run() {
    auto done = Read();
    if (done.ok()) done = Record();
    if (done.ok()) done = Copy();
    if (done.ok()) done = Check();
    if (done.ok()) done = MakeContainer();
    if (done.ok()) done = Commit();
    if (!done.ok()) return Fail(std::move(done).error());
    if (stand_in_) stand_in_->Keep();
    return *std::move(ended_);
  }

 private:
  Result<void> Read() {
    operation_.Enter("read");
    if (!request_.name.empty() && !IsValidName(request_.name)) {
      return errors::InvalidName("checkpoint", request_.name);
    }
    foreign_.emplace(TRY(ForeignImages::Open(request_.directory)));
    if (request_.bundle.empty() && AnyStartsWith(foreign_->names(), "mountpoints-")) {
      return errors::ImagesNeedBundle(request_.directory);
    }
    const std::uint64_t free = TRY(parts_.images.FreeBytes());
    if (free < foreign_->bytes()) {
      return errors::NoRoom(foreign_->bytes(), free, parts_.images.path());
    }
    return operation_.CheckGoingOn();
  }

  Result<void> Record() {
    operation_.Enter("record");
    checkpoint_ = {.id = NewId<CheckpointId>(),
                   .name = request_.name,
                   .created_us = parts_.clock.Wall(),
                   .kernel_release = parts_.kernel_release,
                   .host = parts_.host};
    operation_.SetCheckpoint(checkpoint_.id);
    auto staged = parts_.images.Stage(operation_.id());
    if (!staged.ok()) return errors::ImagesUnwritable(parts_.images.path(), staged.error());
    staged_.emplace(std::move(*staged));
    TRY(parts_.inventory.Write(
        parts_.inventory.NewUpdate().Put(checkpoint_).Put(operation_.record())));
    recorded_ = true;
    return {};
  }

  Result<void> Copy() {
    operation_.Enter("copy");
    return foreign_->CopyTo(staged_->images(), [this](std::uint64_t bytes) {
      operation_.ReportBytes(bytes, foreign_->bytes());
      return operation_.CheckGoingOn();
    });
  }

  Result<void> Check() {
    operation_.Enter("check");
    const FdRef images = staged_->images();
    if (auto whole = criu::CheckComplete(images); !whole.ok()) {
      return errors::ImagesIncomplete(request_.directory, whole.error());
    }
    const auto tasks = TRY(criu::ReadTasks(images));
    checkpoint_.pid = tasks.front().pid;
    checkpoint_.processes = static_cast<std::int64_t>(tasks.size());
    checkpoint_.command = TRY(criu::ReadCommand(images, checkpoint_.pid));
    // What CRIU wants to be told again, as far as the images show that it was told.
    checkpoint_.options.tcp_established = AnyStartsWith(foreign_->names(), "tcp-stream-");
    checkpoint_.options.file_locks = Has(images, "filelocks.img");
    checkpoint_.options.shell_job = request_.bundle.empty() && Has(images, "tty-info.img");
    checkpoint_.options.ext_unix_sk = true;
    manifest_.stdio = TRY(ReadStreams(images));
    return operation_.CheckGoingOn();
  }

  Result<void> MakeContainer() {
    if (request_.bundle.empty()) return {};
    operation_.Enter("container");
    const std::string id = request_.container.empty()
                               ? request_.bundle.substr(request_.bundle.rfind('/') + 1)
                               : request_.container;
    stand_in_.emplace(TRY(runtime::StandIn::Make(
        {.kind = request_.runtime == "crun" ? runtime::Kind::kCrun : runtime::Kind::kRunc,
         .root = request_.root,
         .id = id,
         .bundle = request_.bundle},
        parts_.children, operation_.deadline())));
    manifest_.container = stand_in_->container();
    if (!stand_in_->network_path().empty()) {
      manifest_.network = TRY(ReadJoinedNetwork(stand_in_->network_path()));
    }
    return operation_.CheckGoingOn();
  }

  Result<void> Commit() {
    operation_.Enter("commit");
    manifest_.files = TRY(staged_->Survey({}));
    checkpoint_.size_bytes = static_cast<std::int64_t>(manifest_.TotalBytes());
    checkpoint_.stages = operation_.stages();
    manifest_.checkpoint = checkpoint_;
    if (auto placed = staged_->Commit(checkpoint_.id, manifest_); !placed.ok()) {
      return errors::ImagesUnwritable(parts_.images.path(), placed.error());
    }
    committed_ = true;
    TRY(SetState(checkpoint_.state, CheckpointState::kReady));
    checkpoint_.ready_us = parts_.clock.Wall();
    OperationRecord operation = TRY(operation_.Succeeded(parts_.clock.Wall()));
    TRY(parts_.inventory.Write(parts_.inventory.NewUpdate().Put(checkpoint_).Put(operation)));
    ended_ = std::move(operation);
    return {};
  }

  OperationRecord Fail(Error error) {
    OperationRecord operation = operation_.Failed(std::move(error), parts_.clock.Wall());
    if (!recorded_) return operation;
    checkpoint_.state = CheckpointState::kFailed;
    checkpoint_.problem = operation.error.message;
    checkpoint_.stages = operation_.stages();
    if (committed_) static_cast<void>(parts_.images.Remove(checkpoint_.id));
    LogUnwritten(operation, parts_.inventory.Write(
                                parts_.inventory.NewUpdate().Put(checkpoint_).Put(operation)));
    return operation;
  }

  const EngineParts& parts_;
  Operation& operation_;
  const ImportRequest& request_;

  std::optional<ForeignImages> foreign_;
  CheckpointRecord checkpoint_;
  std::optional<StagedCheckpoint> staged_;
  std::optional<runtime::StandIn> stand_in_;
  Manifest manifest_;
  std::optional<OperationRecord> ended_;
  bool recorded_ = false;
  bool committed_ = false;
};

}  // namespace

void RunImport(const EngineParts& parts, Operation& operation, const ImportRequest& request) {
  OperationRecord ended;
  {
    Importing importing(parts, operation, request);
    ended = importing.Run();
  }
  operation.End(std::move(ended));
}

}  // namespace crd
