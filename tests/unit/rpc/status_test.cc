#include "daemon/rpc/status.h"

#include <string>

#include <api/v1/types.pb.h>
#include <gtest/gtest.h>

namespace crd::rpc {
namespace {

TEST(StatusTest, EveryCodeStaysWhatItIs) {
  for (int code = 1; code <= static_cast<int>(Code::kDataLoss); ++code) {
    const grpc::Status status = ToStatus({.code = static_cast<Code>(code), .message = "m"});
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    v1::Error details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_EQ(details.code(), code);
  }
}

TEST(StatusTest, DetailsHoldTheWholeError) {
  const grpc::Status status = ToStatus({.code = Code::kAborted,
                                        .reason = "TREE_BUSY",
                                        .message = "busy",
                                        .hint = "wait",
                                        .stage = "inspect",
                                        .sys_errno = 16,
                                        .log_lines = {"Error (x.c:1): y"}});
  EXPECT_EQ(status.error_message(), "busy");
  v1::Error details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.reason(), "TREE_BUSY");
  EXPECT_EQ(details.message(), "busy");
  EXPECT_EQ(details.hint(), "wait");
  EXPECT_EQ(details.stage(), "inspect");
  EXPECT_EQ(details.sys_errno(), 16);
  ASSERT_EQ(details.log_lines_size(), 1);
  EXPECT_EQ(details.log_lines(0), "Error (x.c:1): y");
}

TEST(StatusTest, AnErrorIsNeverTakenForSuccess) {
  const grpc::Status status = ToStatus({.code = Code::kOk, .message = "odd"});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNKNOWN);
}

TEST(StatusTest, NeverOutgrowsTheTrailers) {
  // Each of these bytes takes three in grpc-message, and the details four for three where the
  // client cannot take bytes as they are.
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "\u20ac";
  const grpc::Status status = ToStatus({.code = Code::kInternal,
                                        .message = text,
                                        .hint = text,
                                        .log_lines = std::vector<std::string>(100, text)});
  constexpr std::size_t kOtherTrailers = 400;
  EXPECT_LE(3 * status.error_message().size() + (status.error_details().size() + 2) / 3 * 4 +
                kOtherTrailers,
            8192U);
}

}  // namespace
}  // namespace crd::rpc
