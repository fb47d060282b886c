#include "client/output.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include <api/v1/types.pb.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "client/json.h"
#include "tests/unit/client/crctl_run.h"

namespace crd::client {
namespace {

TEST(Output, RemembersThatItsReaderHasGone) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd read(ends[0]);
  const UniqueFd write(ends[1]);
  Output output(write.ref());
  output.Line("one");
  EXPECT_EQ(output.failure(), 0);
  read.reset();
  output.Line("two");
  EXPECT_EQ(output.failure(), EPIPE);
}

TEST(Output, RemembersAFullDisk) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output output(full.ref());
  output.Line("x");
  EXPECT_EQ(output.failure(), ENOSPC);
}

TEST(Output, WaitsForRoomInANonBlockingPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read(ends[0]);
  UniqueFd write(ends[1]);
  const std::string much(1U << 20U, 'x');
  std::thread writer([&] {
    Output output(write.ref());
    output.Write(much);
    write.reset();
  });
  const std::string got = ReadAll(read.ref());
  writer.join();
  EXPECT_EQ(got.size(), much.size());
}

TEST(ToJson, IsOneLineWithTheApisNamesAndAllPlainFields) {
  v1::ExitStatus empty;
  EXPECT_EQ(ToJson(empty), "{}");
  v1::Event event;
  event.set_sequence(1LL << 60U);
  event.set_id("4f2a");
  EXPECT_EQ(ToJson(event),
            R"({"sequence":"1152921504606846976","time_us":"0","subject":"","id":"4f2a",)"
            R"("change":"","detail":""})");
}

}  // namespace
}  // namespace crd::client
