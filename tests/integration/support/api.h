#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <api/v1/services.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace crd::testing {

// What a call came to: a message, or crd's error.
template <typename Message>
struct Answer {
  Message message;
  grpc::Status status;
  v1::Error error;  // from the status's details
  [[nodiscard]] bool ok() const { return status.ok(); }
  const Message* operator->() const { return &message; }
  const Message& operator*() const { return message; }
};

// Reads the details of a status into `error`.
v1::Error ErrorOf(const grpc::Status& status);

template <typename Message>
void PrintTo(const Answer<Message>& answer, std::ostream* out) {
  if (answer.ok()) {
    *out << answer.message.ShortDebugString();
  } else {
    *out << answer.error.reason() << " (" << answer.status.error_code()
         << "): " << answer.status.error_message() << "; hint: " << answer.error.hint();
    for (const std::string& line : answer.error.log_lines()) *out << "\n  " << line;
  }
}

// crd's API on one connection. Any thread.
class Api {
 public:
  explicit Api(const std::string& socket);

  // Sees each step of progress; says false to cancel the call.
  using OnProgress = std::function<bool(const v1::Progress&)>;
  Answer<v1::Checkpoint> Checkpoint(const v1::CheckpointRequest& request,
                                    const OnProgress& on_progress = nullptr);
  Answer<v1::Container> Restore(const v1::RestoreRequest& request,
                                const OnProgress& on_progress = nullptr);
  Answer<v1::CheckResponse> Check(const v1::CheckRequest& request);

  Answer<v1::Checkpoint> GetCheckpoint(const std::string& key);
  Answer<v1::Container> GetContainer(const std::string& key);
  Answer<v1::Operation> GetOperation(const std::string& key);
  std::vector<v1::Checkpoint> Checkpoints(bool all = false);
  std::vector<v1::Container> Containers(bool all = false);
  std::vector<v1::Operation> Operations(bool all = false);
  Answer<v1::Container> Wait(const std::string& key);
  Answer<v1::SignalResponse> Signal(const std::string& key, int signal);
  Answer<v1::ForgetResponse> Forget(const std::string& key);
  Answer<v1::DeleteResponse> Delete(const std::string& key);
  Answer<v1::VerifyResponse> Verify(const std::string& key);
  Answer<v1::InfoResponse> Info();
  std::vector<v1::Event> Events(std::int64_t after = 0);

  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace crd::testing
