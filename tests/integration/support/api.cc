#include "tests/integration/support/api.h"

#include <chrono>

namespace crd::testing {
namespace {

// No call of a test takes longer; one that would hang ends here.
void LimitTime(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(50));
}

template <typename Message, typename Stub, typename Request>
Answer<Message> Ask(const std::shared_ptr<grpc::Channel>& channel,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Message*),
                    const Request& request) {
  grpc::ClientContext context;
  LimitTime(context);
  Stub stub(channel);
  Answer<Message> answer;
  answer.status = (stub.*method)(&context, request, &answer.message);
  answer.error = ErrorOf(answer.status);
  return answer;
}

// Follows an operation; `take` gets what it made.
template <typename Message, typename Stub, typename Request, typename Step>
Answer<Message> Follow(
    const std::shared_ptr<grpc::Channel>& channel,
    std::unique_ptr<grpc::ClientReader<Step>> (Stub::*method)(grpc::ClientContext*, const Request&),
    const Request& request, const Api::OnProgress& on_progress,
    const std::function<void(const Step&, Message&)>& take) {
  grpc::ClientContext context;
  LimitTime(context);
  Stub stub(channel);
  const auto reader = (stub.*method)(&context, request);
  Answer<Message> answer;
  Step step;
  while (reader->Read(&step)) {
    if (step.has_progress() && on_progress && !on_progress(step.progress())) context.TryCancel();
    take(step, answer.message);
  }
  answer.status = reader->Finish();
  answer.error = ErrorOf(answer.status);
  return answer;
}

v1::GetRequest Get(const std::string& key) {
  v1::GetRequest request;
  request.set_key(key);
  return request;
}

v1::ListRequest List(bool all) {
  v1::ListRequest request;
  request.set_all(all);
  return request;
}

template <typename List>
auto Vector(const List& list) {
  return std::vector(list.begin(), list.end());
}

}  // namespace

v1::Error ErrorOf(const grpc::Status& status) {
  v1::Error error;
  if (!status.ok()) error.ParseFromString(status.error_details());
  return error;
}

Api::Api(const std::string& socket) {
  grpc::ChannelArguments arguments;
  // A channel of its own, and quick to try again: crd is restarted under it.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
  // Not a pause, in spite of its name, but the time that a connection is given to be made, up to
  // the server's first words (gRPC 1.51).
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 40'000);
  channel_ =
      grpc::CreateCustomChannel("unix://" + socket, grpc::InsecureChannelCredentials(), arguments);
}

Answer<v1::Checkpoint> Api::Checkpoint(const v1::CheckpointRequest& request,
                                       const OnProgress& on_progress) {
  return Follow<v1::Checkpoint, v1::CheckpointService::Stub, v1::CheckpointRequest,
                v1::CheckpointResponse>(
      channel_, &v1::CheckpointService::Stub::Checkpoint, request, on_progress,
      [](const v1::CheckpointResponse& step, v1::Checkpoint& made) {
        if (step.has_checkpoint()) made = step.checkpoint();
      });
}

Answer<v1::Container> Api::Restore(const v1::RestoreRequest& request,
                                   const OnProgress& on_progress) {
  return Follow<v1::Container, v1::RestoreService::Stub, v1::RestoreRequest, v1::RestoreResponse>(
      channel_, &v1::RestoreService::Stub::Restore, request, on_progress,
      [](const v1::RestoreResponse& step, v1::Container& made) {
        if (step.has_container()) made = step.container();
      });
}

Answer<v1::CheckResponse> Api::Check(const v1::CheckRequest& request) {
  return Ask(channel_, &v1::CheckpointService::Stub::Check, request);
}

Answer<v1::Checkpoint> Api::GetCheckpoint(const std::string& key) {
  return Ask(channel_, &v1::ListService::Stub::GetCheckpoint, Get(key));
}

Answer<v1::Container> Api::GetContainer(const std::string& key) {
  return Ask(channel_, &v1::ListService::Stub::GetContainer, Get(key));
}

Answer<v1::Operation> Api::GetOperation(const std::string& key) {
  return Ask(channel_, &v1::ListService::Stub::GetOperation, Get(key));
}

std::vector<v1::Checkpoint> Api::Checkpoints(bool all) {
  return Vector(Ask(channel_, &v1::ListService::Stub::ListCheckpoints, List(all))->checkpoints());
}

std::vector<v1::Container> Api::Containers(bool all) {
  return Vector(Ask(channel_, &v1::ListService::Stub::ListContainers, List(all))->containers());
}

std::vector<v1::Operation> Api::Operations(bool all) {
  return Vector(Ask(channel_, &v1::ListService::Stub::ListOperations, List(all))->operations());
}

Answer<v1::Container> Api::Wait(const std::string& key) {
  v1::WaitRequest request;
  request.set_container(key);
  return Ask(channel_, &v1::ContainerService::Stub::Wait, request);
}

Answer<v1::SignalResponse> Api::Signal(const std::string& key, int signal) {
  v1::SignalRequest request;
  request.set_container(key);
  request.set_signal(signal);
  return Ask(channel_, &v1::ContainerService::Stub::Signal, request);
}

Answer<v1::ForgetResponse> Api::Forget(const std::string& key) {
  v1::ForgetRequest request;
  request.set_container(key);
  return Ask(channel_, &v1::ContainerService::Stub::Forget, request);
}

Answer<v1::DeleteResponse> Api::Delete(const std::string& key) {
  v1::DeleteRequest request;
  request.set_checkpoint(key);
  return Ask(channel_, &v1::ImageService::Stub::Delete, request);
}

Answer<v1::VerifyResponse> Api::Verify(const std::string& key) {
  v1::VerifyRequest request;
  request.set_checkpoint(key);
  return Ask(channel_, &v1::ImageService::Stub::Verify, request);
}

Answer<v1::InfoResponse> Api::Info() {
  return Ask(channel_, &v1::SystemService::Stub::Info, v1::InfoRequest());
}

std::vector<v1::Event> Api::Events(std::int64_t after) {
  grpc::ClientContext context;
  LimitTime(context);
  v1::WatchRequest request;
  request.set_after_sequence(after);
  const auto reader = v1::ListService::Stub(channel_).Watch(&context, request);
  std::vector<v1::Event> events;
  for (v1::Event event; reader->Read(&event);) events.push_back(event);
  static_cast<void>(reader->Finish());
  return events;
}

}  // namespace crd::testing
