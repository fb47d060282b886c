#include "daemon/rpc/convert.h"

#include <string>

#include <gtest/gtest.h>

#include "daemon/rpc/text.h"

namespace crd::rpc {
namespace {

CheckpointRecord SomeCheckpoint() {
  return {.id = CheckpointId("c1"),
          .name = "before-upgrade",
          .state = CheckpointState::kReady,
          .pid = 12,
          .command = "sleep 100",
          .processes = 3,
          .container_id = ContainerId("t1"),
          .created_us = 1000,
          .ready_us = 2000,
          .size_bytes = 4096,
          .options = {.leave_running = true, .file_locks = true, .ghost_limit = 7},
          .statistics = {.freezing_us = 1,
                         .frozen_us = 2,
                         .memdump_us = 3,
                         .memwrite_us = 4,
                         .pages_scanned = 5,
                         .pages_written = 6},
          .stages = {{.stage = "dump", .micros = 9}},
          .criu_version = "4.2",
          .kernel_release = "6.1.0",
          .host = "here",
          .problem = "",
          .network_lock = "CRIU-1"};
}

TEST(ConvertTest, CheckpointKeepsEveryField) {
  const v1::Checkpoint message = ToProto(SomeCheckpoint(), "/var/lib/crd/checkpoints/c1");
  EXPECT_EQ(message.id(), "c1");
  EXPECT_EQ(message.name(), "before-upgrade");
  EXPECT_EQ(message.state(), v1::CHECKPOINT_STATE_READY);
  EXPECT_EQ(message.pid(), 12);
  EXPECT_EQ(message.command(), "sleep 100");
  EXPECT_EQ(message.processes(), 3U);
  EXPECT_EQ(message.container_id(), "t1");
  EXPECT_EQ(message.created_us(), 1000);
  EXPECT_EQ(message.ready_us(), 2000);
  EXPECT_EQ(message.size_bytes(), 4096U);
  EXPECT_TRUE(message.options().leave_running());
  EXPECT_TRUE(message.options().file_locks());
  EXPECT_FALSE(message.options().tcp_established());
  EXPECT_EQ(message.options().ghost_limit(), 7U);
  EXPECT_EQ(message.statistics().frozen_us(), 2U);
  EXPECT_EQ(message.statistics().pages_written(), 6U);
  ASSERT_EQ(message.stages_size(), 1);
  EXPECT_EQ(message.stages(0).stage(), "dump");
  EXPECT_EQ(message.stages(0).micros(), 9U);
  EXPECT_EQ(message.criu_version(), "4.2");
  EXPECT_EQ(message.kernel_release(), "6.1.0");
  EXPECT_EQ(message.host(), "here");
  EXPECT_EQ(message.directory(), "/var/lib/crd/checkpoints/c1");
  EXPECT_EQ(message.network_lock(), "CRIU-1");
}

TEST(ConvertTest, CheckpointWithoutImagesHasNoDirectory) {
  CheckpointRecord record = SomeCheckpoint();
  for (const auto state : {CheckpointState::kCreating, CheckpointState::kFailed}) {
    record.state = state;
    EXPECT_EQ(ToProto(record, "/somewhere").directory(), "");
  }
}

TEST(ConvertTest, EveryCheckpointStateHasItsOwnNumber) {
  CheckpointRecord record = SomeCheckpoint();
  int number = 0;
  using enum CheckpointState;
  for (const auto state : {kCreating, kReady, kFailed, kDamaged, kDeleting}) {
    record.state = state;
    EXPECT_EQ(ToProto(record, "").state(), ++number);
  }
}

TEST(ConvertTest, EveryContainerStateHasItsOwnNumber) {
  ContainerRecord record;
  int number = 0;
  using enum ContainerState;
  for (const auto state : {kRunning, kCheckpointing, kCheckpointed, kRestoring, kExited, kLost}) {
    record.state = state;
    EXPECT_EQ(ToProto(record).state(), ++number);
  }
}

TEST(ConvertTest, ContainerTellsHowItEnded) {
  ContainerRecord record{.exit = {.code = 3, .signal = {}}};
  EXPECT_EQ(ToProto(record).exit().code(), 3);
  record.exit = {.code = {}, .signal = 9};
  EXPECT_EQ(ToProto(record).exit().signal(), 9);
  EXPECT_EQ(ToProto(record).exit().how_case(), v1::ExitStatus::kSignal);
}

TEST(ConvertTest, ExitWithCodeZeroIsNotUnknown) {
  EXPECT_EQ(ToProto(ContainerRecord{.exit = {.code = 0, .signal = {}}}).exit().how_case(),
            v1::ExitStatus::kCode);
  EXPECT_FALSE(ToProto(ContainerRecord{}).has_exit());
}

TEST(ConvertTest, OperationHasAnErrorOnlyIfItFailed) {
  OperationRecord record{.id = OperationId("o1"),
                         .kind = OperationKind::kRestore,
                         .state = OperationState::kSucceeded};
  EXPECT_FALSE(ToProto(record).has_error());
  EXPECT_EQ(ToProto(record).kind(), v1::OPERATION_KIND_RESTORE);
  record.state = OperationState::kFailed;
  record.error = {.code = Code::kNotFound, .message = "gone"};
  EXPECT_EQ(ToProto(record).error().message(), "gone");
}

TEST(ConvertTest, ErrorKeepsEveryField) {
  const v1::Error message = ToProto(Error{.code = Code::kFailedPrecondition,
                                          .reason = "PID_TAKEN",
                                          .message = "pid 1 is taken",
                                          .hint = "end it",
                                          .stage = "restore",
                                          .sys_errno = 17,
                                          .log_lines = {"Error one", "Error two"}});
  EXPECT_EQ(message.code(), 9);
  EXPECT_EQ(message.reason(), "PID_TAKEN");
  EXPECT_EQ(message.message(), "pid 1 is taken");
  EXPECT_EQ(message.hint(), "end it");
  EXPECT_EQ(message.stage(), "restore");
  EXPECT_EQ(message.sys_errno(), 17);
  EXPECT_EQ(message.log_lines_size(), 2);
}

TEST(ConvertTest, ErrorOfAnySizeFitsIntoTheTrailers) {
  const std::string huge(100'000, 'x');
  const Error error{.code = Code::kInternal,
                    .reason = huge,
                    .message = huge,
                    .hint = huge,
                    .stage = huge,
                    .log_lines = std::vector<std::string>(1000, huge)};
  const v1::Error message = ToProto(error);
  EXPECT_LE(message.ByteSizeLong(), kMaxErrorBytes);
  EXPECT_GE(message.log_lines_size(), 2) << "the first lines say most";
}

TEST(ConvertTest, TextFromOutsideIsValidUtf8OnTheWire) {
  CheckpointRecord record = SomeCheckpoint();
  record.command = "caf\xC3\xA9 \xFF\xFE";
  const v1::Checkpoint message = ToProto(record, "");
  EXPECT_EQ(message.command(), "caf\xC3\xA9 ??");
  v1::Checkpoint read;
  EXPECT_TRUE(read.ParseFromString(message.SerializeAsString()));
}

TEST(TextTest, OnlyWholeShortestCharactersAreValid) {
  EXPECT_EQ(ValidUtf8("\u00e9\u20ac\U0001F600"), "\u00e9\u20ac\U0001F600");
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), "??") << "too long";
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), "???") << "a surrogate";
  EXPECT_EQ(ValidUtf8("\xF4\x90\x80\x80"), "????") << "above U+10FFFF";
  EXPECT_EQ(ValidUtf8("a\xE2\x82"), "a??") << "cut off";
}

TEST(TextTest, ShorteningNeverSplitsACharacter) {
  const std::string euros = "\u20ac\u20ac\u20ac\u20ac";  // three bytes each
  EXPECT_EQ(Shorten(euros, 12), euros);
  EXPECT_EQ(Shorten(euros, 11), "\u20ac\u20ac\u2026");
  EXPECT_EQ(Shorten(euros, 8), "\u20ac\u2026");
  EXPECT_EQ(Shorten("abcdef", 5), "ab\u2026");
}

TEST(TextTest, OneLineStaysOneLine) {
  EXPECT_EQ(OneLine("a\n<3>crd: b\x1B[0m", 100), "a <3>crd: b [0m");
}

}  // namespace
}  // namespace crd::rpc
