#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include "client/cancellation.h"
#include "client/output.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::client {

// What holds for every command.
struct Settings {
  std::string socket;  // a path
  bool json = false;
  std::chrono::microseconds timeout{0};  // 0: none was given
};

// An upgrade of crd takes less.
inline constexpr std::chrono::seconds kReconnectPatience{15};
// For those who have nothing better to do than to wait for what crd will tell one day: crd may take
// two minutes to stop, and systemd then a moment to start it.
inline constexpr std::chrono::seconds kLongReconnectPatience{150};

struct CallOptions {
  // What crd is given to answer; 0: as long as it takes. Repetitions do not prolong it.
  std::chrono::microseconds timeout{0};
  // Ask again when crd goes away in the middle: for calls with a request id and for those that
  // change nothing.
  bool repeat = false;
  // How long a crd that has gone is waited for, each time anew.
  std::chrono::seconds patience = kReconnectPatience;
  Cancellation* cancellation = nullptr;
  // Told the headers of a stream's answer, which come before its first message.
  std::function<void(const grpc::ClientContext&)> on_headers = {};
};

// One run of crctl: its settings, its streams, and its connection, which is made for the first
// call. One thread at a time.
class Session {
 public:
  Session(Settings settings, FdRef out, FdRef err)
      : settings_(std::move(settings)), out_(out), err_(err) {}

  [[nodiscard]] const Settings& settings() const { return settings_; }
  // Results, and everything else.
  Output& out() { return out_; }
  Output& err() { return err_; }
  // The signal that cut the command short, 0 if none did: decides the exit status.
  [[nodiscard]] int interrupted_by() const { return interrupted_by_; }
  void set_interrupted_by(int signal) { interrupted_by_ = signal; }
  // Whether the last call was asked more than once: what it was to do may have been done before.
  [[nodiscard]] bool repeated() const { return repeated_; }
  // A call with --timeout as its limit.
  [[nodiscard]] CallOptions Limited() const { return {.timeout = settings_.timeout}; }

  // One question, one answer.
  template <typename Stub, typename Request, typename Response>
  Result<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request, const CallOptions& options) {
    Response response;
    TRY(Run(
        [&](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context) {
          response.Clear();
          return (Stub(channel).*method)(&context, request, &response);
        },
        options));
    return response;
  }

  // One question, any number of answers; `take` says false when it wants no more. It may change
  // `request`, which is read again when crd has to be asked again.
  template <typename Stub, typename Request, typename Message>
  Result<void> Stream(std::unique_ptr<grpc::ClientReader<Message>> (Stub::*method)(
                          grpc::ClientContext*, const Request&),
                      const Request& request, const std::function<bool(const Message&)>& take,
                      const CallOptions& options) {
    return Run(
        [&](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context) {
          Stub stub(channel);
          const auto reader = (stub.*method)(&context, request);
          if (options.on_headers) {
            reader->WaitForInitialMetadata();
            options.on_headers(context);
          }
          Message message;
          bool wanted = true;
          while (wanted && reader->Read(&message)) wanted = take(message);
          if (!wanted) context.TryCancel();
          grpc::Status status = reader->Finish();
          return wanted ? status : grpc::Status::OK;
        },
        options);
  }

 private:
  using Attempt =
      std::function<grpc::Status(const std::shared_ptr<grpc::Channel>&, grpc::ClientContext&)>;
  using CallDeadline = std::optional<std::chrono::system_clock::time_point>;
  // Calls, and repeats as the options say.
  Result<void> Run(const Attempt& attempt, const CallOptions& options);
  Result<void> RunOnce(const Attempt& attempt, const CallDeadline& deadline,
                       Cancellation* cancellation);
  Result<void> EnsureConnected(const CallDeadline& deadline);
  void TellOfOutage(std::chrono::seconds patience);

  Settings settings_;
  Output out_;
  Output err_;
  int interrupted_by_ = 0;
  bool repeated_ = false;
  std::shared_ptr<grpc::Channel> channel_;  // null before the first call and after a loss
};

}  // namespace crd::client
