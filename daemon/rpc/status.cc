#include "daemon/rpc/status.h"

#include "daemon/rpc/convert.h"
#include "daemon/rpc/text.h"

namespace crd::rpc {
namespace {

// Goes over the wire a second time besides the details, three bytes for one where it is not ASCII.
constexpr std::size_t kMaxMessage = 1000;

static_assert(static_cast<int>(Code::kCancelled) == grpc::StatusCode::CANCELLED);
static_assert(static_cast<int>(Code::kInvalidArgument) == grpc::StatusCode::INVALID_ARGUMENT);
static_assert(static_cast<int>(Code::kUnimplemented) == grpc::StatusCode::UNIMPLEMENTED);
static_assert(static_cast<int>(Code::kDataLoss) == grpc::StatusCode::DATA_LOSS);

}  // namespace

grpc::Status ToStatus(const Error& error) {
  // An error with the code "OK" would be taken for success.
  const Code code = error.code == Code::kOk ? Code::kUnknown : error.code;
  v1::Error details = ToProto(error);
  details.set_code(static_cast<int>(code));
  return {static_cast<grpc::StatusCode>(code), Shorten(error.message, kMaxMessage),
          details.SerializeAsString()};
}

Error ClientLeft() {
  return {.code = Code::kCancelled, .message = "the client left, or its deadline has passed"};
}

}  // namespace crd::rpc
