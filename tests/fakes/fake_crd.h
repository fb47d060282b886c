#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <api/v1/services.grpc.pb.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

namespace crd::testing {

// The status of a refusal as crd sends it: an Error in the details.
inline grpc::Status Refusal(const v1::Error& error) {
  return {static_cast<grpc::StatusCode>(error.code()), error.message(), error.SerializeAsString()};
}

inline grpc::Status Refusal(grpc::StatusCode code, const std::string& reason,
                            const std::string& message, const std::string& hint = "") {
  v1::Error error;
  error.set_code(code);
  error.set_reason(reason);
  error.set_message(message);
  error.set_hint(hint);
  return Refusal(error);
}

// What a FakeCrd answers: one function for each RPC, UNIMPLEMENTED where there is none. They run on
// gRPC's threads, and must be set before the call that they answer.
struct Answers {
  template <typename Request, typename Response>
  using Unary = std::function<grpc::Status(grpc::ServerContext&, const Request&, Response&)>;
  template <typename Request, typename Message>
  using Stream = std::function<grpc::Status(grpc::ServerContext&, const Request&,
                                            grpc::ServerWriter<Message>&)>;

  Stream<v1::CheckpointRequest, v1::CheckpointResponse> checkpoint;
  Unary<v1::CheckRequest, v1::CheckResponse> check;
  Stream<v1::RestoreRequest, v1::RestoreResponse> restore;
  Unary<v1::ListRequest, v1::ListCheckpointsResponse> list_checkpoints;
  Unary<v1::GetRequest, v1::Checkpoint> get_checkpoint;
  Unary<v1::ListRequest, v1::ListContainersResponse> list_containers;
  Unary<v1::GetRequest, v1::Container> get_container;
  Unary<v1::ListRequest, v1::ListOperationsResponse> list_operations;
  Unary<v1::GetRequest, v1::Operation> get_operation;
  Stream<v1::WatchRequest, v1::Event> watch;
  Unary<v1::WaitRequest, v1::Container> wait;
  Unary<v1::SignalRequest, v1::SignalResponse> signal;
  Unary<v1::ForgetRequest, v1::ForgetResponse> forget;
  Unary<v1::DeleteRequest, v1::DeleteResponse> remove;
  Unary<v1::VerifyRequest, v1::VerifyResponse> verify;
  Unary<v1::InfoRequest, v1::InfoResponse> info;
};

// All services of crd in this process, on a Unix socket of their own, with canned answers. The
// socket is there from the constructor to the destructor, which cancels what still runs.
class FakeCrd {
 public:
  explicit FakeCrd(const std::string& socket) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
    for (grpc::Service* service : std::vector<grpc::Service*>{&checkpoints_, &restores_, &lists_,
                                                              &containers_, &images_, &system_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
  }
  FakeCrd(const FakeCrd&) = delete;
  FakeCrd& operator=(const FakeCrd&) = delete;
  FakeCrd(FakeCrd&&) = delete;
  FakeCrd& operator=(FakeCrd&&) = delete;
  ~FakeCrd() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  [[nodiscard]] bool started() const { return server_ != nullptr; }
  Answers answers;

 private:
  template <typename Function, typename... Args>
  static grpc::Status Answer(const Function& function, Args&&... args) {
    if (!function) return {grpc::StatusCode::UNIMPLEMENTED, "no answer was canned"};
    return function(std::forward<Args>(args)...);
  }

  struct Checkpoints final : v1::CheckpointService::Service {
    explicit Checkpoints(Answers& all) : answers(all) {}
    grpc::Status Checkpoint(grpc::ServerContext* context, const v1::CheckpointRequest* request,
                            grpc::ServerWriter<v1::CheckpointResponse>* writer) override {
      return Answer(answers.checkpoint, *context, *request, *writer);
    }
    grpc::Status Check(grpc::ServerContext* context, const v1::CheckRequest* request,
                       v1::CheckResponse* response) override {
      return Answer(answers.check, *context, *request, *response);
    }
    Answers& answers;
  };
  struct Restores final : v1::RestoreService::Service {
    explicit Restores(Answers& all) : answers(all) {}
    grpc::Status Restore(grpc::ServerContext* context, const v1::RestoreRequest* request,
                         grpc::ServerWriter<v1::RestoreResponse>* writer) override {
      return Answer(answers.restore, *context, *request, *writer);
    }
    Answers& answers;
  };
  struct Lists final : v1::ListService::Service {
    explicit Lists(Answers& all) : answers(all) {}
    grpc::Status ListCheckpoints(grpc::ServerContext* context, const v1::ListRequest* request,
                                 v1::ListCheckpointsResponse* response) override {
      return Answer(answers.list_checkpoints, *context, *request, *response);
    }
    grpc::Status GetCheckpoint(grpc::ServerContext* context, const v1::GetRequest* request,
                               v1::Checkpoint* response) override {
      return Answer(answers.get_checkpoint, *context, *request, *response);
    }
    grpc::Status ListContainers(grpc::ServerContext* context, const v1::ListRequest* request,
                                v1::ListContainersResponse* response) override {
      return Answer(answers.list_containers, *context, *request, *response);
    }
    grpc::Status GetContainer(grpc::ServerContext* context, const v1::GetRequest* request,
                              v1::Container* response) override {
      return Answer(answers.get_container, *context, *request, *response);
    }
    grpc::Status ListOperations(grpc::ServerContext* context, const v1::ListRequest* request,
                                v1::ListOperationsResponse* response) override {
      return Answer(answers.list_operations, *context, *request, *response);
    }
    grpc::Status GetOperation(grpc::ServerContext* context, const v1::GetRequest* request,
                              v1::Operation* response) override {
      return Answer(answers.get_operation, *context, *request, *response);
    }
    grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                       grpc::ServerWriter<v1::Event>* writer) override {
      return Answer(answers.watch, *context, *request, *writer);
    }
    Answers& answers;
  };
  struct Containers final : v1::ContainerService::Service {
    explicit Containers(Answers& all) : answers(all) {}
    grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                      v1::Container* response) override {
      return Answer(answers.wait, *context, *request, *response);
    }
    grpc::Status Signal(grpc::ServerContext* context, const v1::SignalRequest* request,
                        v1::SignalResponse* response) override {
      return Answer(answers.signal, *context, *request, *response);
    }
    grpc::Status Forget(grpc::ServerContext* context, const v1::ForgetRequest* request,
                        v1::ForgetResponse* response) override {
      return Answer(answers.forget, *context, *request, *response);
    }
    Answers& answers;
  };
  struct Images final : v1::ImageService::Service {
    explicit Images(Answers& all) : answers(all) {}
    grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteRequest* request,
                        v1::DeleteResponse* response) override {
      return Answer(answers.remove, *context, *request, *response);
    }
    grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                        v1::VerifyResponse* response) override {
      return Answer(answers.verify, *context, *request, *response);
    }
    Answers& answers;
  };
  struct System final : v1::SystemService::Service {
    explicit System(Answers& all) : answers(all) {}
    grpc::Status Info(grpc::ServerContext* context, const v1::InfoRequest* request,
                      v1::InfoResponse* response) override {
      return Answer(answers.info, *context, *request, *response);
    }
    Answers& answers;
  };

  Checkpoints checkpoints_{answers};
  Restores restores_{answers};
  Lists lists_{answers};
  Containers containers_{answers};
  Images images_{answers};
  System system_{answers};
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace crd::testing
