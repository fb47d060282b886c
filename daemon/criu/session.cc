#include "daemon/criu/session.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace crd::criu {
namespace {

// As of CRIU 4.3. The last at which saying no undoes everything.
std::string_view LastVeto(Action action) {
  return action == Action::kDump ? "post-dump" : "post-restore";
}

// Undoes what the caller did at "network-lock": it has to hear of it whatever else has happened.
constexpr std::string_view kNetworkUnlock = "network-unlock";

}  // namespace

const char* Session::Noun() const { return action_ == Action::kDump ? "dump" : "restore"; }

Error Session::Cancelled() const {
  return {.code = Code::kCancelled, .message = fmt::format("the {} was cancelled", Noun())};
}

Error Session::TooLate() const {
  return {.code = Code::kDeadlineExceeded,
          .message = fmt::format("CRIU did not finish the {} in time", Noun())};
}

// The first reason is the one that is told.
void Session::Stop(Error why, std::chrono::milliseconds grace) {
  if (!end_.stopped) end_.stopped = std::move(why);
  until_ = SteadyClock::now() + grace;
}

SessionEnd Session::Run(const criu_rpc::criu_opts& options) {
  criu_rpc::criu_req request;
  request.set_type(action_ == Action::kDump ? criu_rpc::DUMP : criu_rpc::RESTORE);
  *request.mutable_opts() = options;
  if (Reply(request)) {
    while (Step()) {
    }
  }
  if (!end_.answer && !end_.nonsense.empty()) connection_.Kill();
  end_.ending = connection_.Finish(SteadyClock::now() + patience_.exit);
  end_.complaints = connection_.Complaints();
  return std::move(end_);
}

bool Session::Reply(const criu_rpc::criu_req& request) {
  const auto sent = connection_.Send(request.SerializeAsString());
  // A CRIU that is gone tells more by how it ended.
  const bool gone =
      !sent.ok() && (sent.error().sys_errno == EPIPE || sent.error().sys_errno == ECONNRESET);
  if (!sent.ok() && !gone) end_.nonsense = sent.error().message;
  return sent.ok();
}

bool Session::Step() {
  const bool deaf = committed_ || end_.stopped.has_value();
  auto incoming = connection_.Next(until_, deaf ? nullptr : &cancel_);
  if (!incoming.ok()) {
    end_.nonsense = incoming.error().message;
    return false;
  }
  switch (incoming->arrival) {
    case Arrival::kPacket:
      return Take(std::move(*incoming));
    case Arrival::kClosed:
      return false;
    case Arrival::kCancelled:
      return OnCancelled();
    case Arrival::kTimeout:
      return OnTimeout();
  }
  return false;
}

bool Session::OnCancelled() {
  const Deadline given = until_;
  Stop(Cancelled(), patience_.cancelled_dump);
  until_ = std::min(until_, given);
  if (action_ == Action::kRestore) connection_.Kill();
  return action_ == Action::kDump;
}

bool Session::OnTimeout() {
  Stop(TooLate(), {});
  connection_.Kill();
  return false;
}

bool Session::Take(Incoming incoming) {
  criu_rpc::criu_resp message;
  if (!message.ParseFromString(incoming.packet) || !message.has_type() || !message.has_success()) {
    end_.nonsense = fmt::format("CRIU sent {} bytes that are no answer", incoming.packet.size());
    return false;
  }
  if (message.type() != criu_rpc::NOTIFY) {
    end_.answer = std::move(message);
    return false;
  }
  const auto decision = Decide({.script = message.notify().script(),
                                .pid = message.notify().pid(),
                                .descriptors = std::move(incoming.descriptors)});
  if (!decision.ok()) Stop(decision.error(), patience_.undo);
  if (decision.ok() && message.notify().script() == LastVeto(action_)) {
    committed_ = true;
    until_ = std::max(deadline_, SteadyClock::now() + patience_.finish);
  }
  criu_rpc::criu_req reply;
  reply.set_type(criu_rpc::NOTIFY);
  reply.set_notify_success(decision.ok());
  return Reply(reply);
}

Result<void> Session::Decide(Notification notification) {
  const std::string script = notification.script;
  if (script == kNetworkUnlock) return notify_(std::move(notification));
  TRY(MayGoOn());
  TRY(notify_(std::move(notification)));
  // The caller may have taken its time: better told now than killed while it works. But what the
  // caller has agreed to at the last veto holds.
  if (script != LastVeto(action_)) TRY(MayGoOn());
  return {};
}

Result<void> Session::MayGoOn() const {
  if (end_.stopped) return *end_.stopped;
  if (!committed_ && cancel_.cancelled()) return Cancelled();
  if (!committed_ && SteadyClock::now() >= deadline_) return TooLate();
  return {};
}

}  // namespace crd::criu
