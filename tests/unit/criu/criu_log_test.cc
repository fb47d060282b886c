#include "daemon/criu/criu_log.h"

#include <algorithm>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crd::criu {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Line {
  const char* reason;
  Code code;
  const char* text;  // as CRIU 4.2 prints it
};

class KnownLineTest : public ::testing::TestWithParam<Line> {};

TEST_P(KnownLineTest, IsDiagnosed) {
  const auto findings = StudyLog(std::string("(00.000001) Version: 4.2.1\n") + GetParam().text);
  ASSERT_TRUE(findings.diagnosis.has_value());
  EXPECT_EQ(findings.diagnosis->reason, GetParam().reason);
  EXPECT_EQ(findings.diagnosis->code, GetParam().code);
  EXPECT_FALSE(findings.diagnosis->hint.empty());
}

constexpr Code kRefused = Code::kFailedPrecondition;

INSTANTIATE_TEST_SUITE_P(
    Criu, KnownLineTest,
    ::testing::Values(
        Line{"PID_TAKEN", Code::kAlreadyExists,
             "(00.010) Error (criu/cr-restore.c:1230): Can't fork for 4242: File exists\n"},
        Line{"FOREIGN_MOUNT", kRefused,
             "(00.02) Error (criu/files-reg.c:1790): Can't lookup mount=29 for fd=1 path=/x/y\n"},
        Line{"EXTERNAL_UNIX_SOCKET", kRefused,
             "(00.02) Error (criu/sk-unix.c:874): unix: External socket is used. Consider using "
             "--ext-unix-sk option.\n"},
        Line{"EXTERNAL_UNIX_SOCKET", kRefused,
             "(00.02) Error (criu/sk-unix.c:881): unix: Can't dump half of stream unix connection. "
             "name: (null); peer name: (null)\n"},
        Line{"EXTERNAL_UNIX_SOCKET", kRefused,
             "(00.02) Error (criu/sk-unix.c:1912): unix: External socket found in image. Consider "
             "using the --ext-unix-sk option to allow restoring it.\n"},
        Line{"TCP_ESTABLISHED", kRefused,
             "(00.02) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using "
             "--tcp-established option.\n"},
        Line{"TCP_ESTABLISHED", kRefused,
             "(00.02)   42: Error (criu/sk-inet.c:912): inet: Connected TCP socket in image\n"},
        Line{"TCP_IN_FLIGHT", kRefused,
             "(00.02) Error (criu/sk-inet.c:185): inet: In-flight connection (l) for 1f3a\n"},
        Line{"FILE_LOCKS", kRefused,
             "(00.02) Error (criu/file-lock.c:110): Some file locks are hold by dumping tasks! You "
             "can try --file-locks to dump them.\n"},
        Line{"GHOST_TOO_LARGE", kRefused,
             "(00.02) Error (criu/files-reg.c:1031): Can't dump ghost file /tmp/big of 2097152 "
             "size, increase limit\n"},
        Line{"LINK_REMAP", kRefused,
             "(00.02) Error (criu/files-reg.c:1122): Can't create link remap for /tmp/a. Use "
             "link-remap option.\n"},
        Line{"IO_URING", kRefused,
             "(00.02) Error (criu/proc_parse.c:502): Unknown shit 600 (anon_inode:[io_uring])\n"},
        Line{"IO_URING", kRefused,
             "(00.02) Error (criu/files-ext.c:94): Can't dump file 4 of that type [600] (unknown "
             "anon_inode:[io_uring])\n"},
        Line{"UNSUPPORTED_FILE", kRefused,
             "(00.02) Error (criu/files-ext.c:94): Can't dump file 4 of that type [20600] (chr "
             "10:232)\n"},
        Line{"SESSION_OUTSIDE_NAMESPACE", kRefused,
             "(00.02) Error (criu/cr-dump.c:1681): A session leader of 7(7) is outside of its pid "
             "namespace"},
        Line{"LINK_REMAP", Code::kAborted,
             "(00.02) Error (criu/files-reg.c:1161): Can't link remap to tmp/x: File exists"},
        Line{"SHELL_JOB", kRefused,
             "(00.02) Error (criu/pstree.c:304): The root process 42 is not a session leader. "
             "Consider using --shell-job option\n"},
        Line{"SHELL_JOB", kRefused,
             "(00.02) Error (criu/tty.c:410): tty: Found slave peer index 3 without correspond "
             "master peer\n"},
        Line{"FILE_CHANGED", kRefused,
             "(00.02) Error (criu/files-reg.c:2160): File usr/bin/x has bad build-ID\n"},
        Line{"FILE_CHANGED", kRefused,
             "(00.02) Error (criu/files-reg.c:2183): File usr/bin/x has bad size 12 (expect 13)\n"},
        Line{
            "FILE_MISSING", kRefused,
            "(00.02) Error (criu/files-reg.c:2277): Can't open file tmp/x on restore: No such file "
            "or directory\n"},
        Line{"SECCOMP", kRefused,
             "(00.02) Error (criu/seccomp.c:162): seccomp: Can't fetch seccomp metadata on "
             "tid_real 5 pos 0: Invalid argument\n"},
        Line{"NEEDS_CAPABILITY", Code::kPermissionDenied,
             "(00.02) Error (criu/cr-dump.c:388): Can't get rlimit 0: Operation not permitted\n"},
        Line{"TRACED", kRefused,
             "(00.02) Warn  (compel/src/lib/infect.c:118): Unable to interrupt task: 42 (Operation "
             "not permitted)\n"},
        Line{"PROCESS_GONE", Code::kNotFound,
             "(00.02) Warn  (compel/src/lib/infect.c:118): Unable to interrupt task: 42 (No such "
             "process)\n"},
        Line{"NO_SPACE", Code::kResourceExhausted,
             "(00.02) Error (criu/page-xfer.c:300): Unable to spice data: No space left on "
             "device\n"},
        Line{"CRIU_UNUSABLE", kRefused,
             "(00.02) Error (criu/sockets.c:650): sockets: Can't get 1:16 opt: Operation not "
             "supported\n"}));

TEST(StudyLogTest, NamesTheFileInTheMessage) {
  const auto findings =
      StudyLog("(00.02) Error (criu/files-reg.c:1): File usr/bin/x has bad size 12 (expect 13)\n");
  EXPECT_THAT(findings.diagnosis->message, HasSubstr("File usr/bin/x has bad size 12"));
}

TEST(StudyLogTest, TakesTheFirstKnownLineAndAllErrorLines) {
  const auto findings = StudyLog(
      "(00.1) Error (criu/util.c:1): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not "
      "permitted\n"
      "(00.2) something else\n"
      "(00.3) Error (criu/file-lock.c:110): Some file locks are hold by dumping tasks!\n"
      "(00.4) Error (criu/cr-dump.c:2090): Dumping FAILED.");
  EXPECT_EQ(findings.diagnosis->reason, "FILE_LOCKS");
  EXPECT_THAT(findings.lines, ElementsAre(HasSubstr("file locks"), HasSubstr("Dumping FAILED")));
}

TEST(StudyLogTest, FindsNothingInALogWithoutErrors) {
  const auto findings = StudyLog("(00.1) Seized task 42, state 1\n\n\n");
  EXPECT_THAT(findings.lines, IsEmpty());
  EXPECT_FALSE(findings.diagnosis.has_value());
}

TEST(StudyLogTest, KeepsAtMostTwentyLinesOf512Characters) {
  std::string log;
  for (int i = 0; i < 100; ++i) log += "Error (a): " + std::string(4000, '\x01') + "\n";
  const auto findings = StudyLog(log);
  EXPECT_THAT(findings.lines, SizeIs(20));
  EXPECT_THAT(findings.lines, Each(SizeIs(512)));
}

TEST(StudyLogTest, SurvivesAnyBytes) {
  std::mt19937 random(4711);
  const std::string words[] = {"Error (",        "): ",         "\n",
                               "Can't fork for", "File exists", "seccomp: "};
  for (int round = 0; round < 2000; ++round) {
    std::string log;
    for (int part = 0; part < 20; ++part) {
      if (random() % 2 == 0) log += words[random() % std::size(words)];
      for (auto n = random() % 40; n > 0; --n) log.push_back(static_cast<char>(random() % 256));
    }
    const auto findings = StudyLog(log);
    ASSERT_LE(findings.lines.size(), 20U);
    for (const std::string& line : findings.lines) {
      ASSERT_LE(line.size(), 512U);
      ASSERT_TRUE(std::all_of(line.begin(), line.end(),
                              [](char byte) { return byte >= ' ' && byte <= '~'; }));
    }
  }
}

TEST(WithoutPrefixTest, LeavesOnlyWhatHappened) {
  EXPECT_EQ(WithoutPrefix("(00.02)  42: Error (criu/a.c:1): It broke"), "It broke");
  EXPECT_EQ(WithoutPrefix("no prefix"), "no prefix");
  EXPECT_EQ(WithoutPrefix("Error (criu/a"), "Error (criu/a");
}

}  // namespace
}  // namespace crd::criu
