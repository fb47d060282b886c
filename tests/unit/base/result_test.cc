#include "daemon/base/result.h"

#include <memory>

#include "daemon/base/ids.h"
#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using testing::FailsWith;

Result<int> Half(int number) {
  if (number % 2 != 0) return Error::Internal("{} is odd", number);
  return number / 2;
}

Result<int> Quarter(int number) { return TRY(Half(TRY(Half(number)))); }

TEST(Result, PassesErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_THAT(Quarter(6), FailsWith(Code::kInternal));
  EXPECT_EQ(Quarter(6).error().message, "3 is odd");
}

TEST(Result, HoldsWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  EXPECT_EQ(**result, 5);
}

TEST(Result, AddsWhatWasAttempted) {
  const auto result = Half(3).Annotate("halve the loaf");
  EXPECT_EQ(result.error().message, "halve the loaf: 3 is odd");
}

TEST(Error, KeepsErrnoAndPicksACode) {
  errno = ENOSPC;
  const Error error = Error::Errno("write '{}'", "pages-1.img");
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.sys_errno, ENOSPC);
  EXPECT_EQ(error.message, "write 'pages-1.img': No space left on device");
}

TEST(Names, AreWhatTheRuleSays) {
  for (const char* good : {"a", "Web-1", "0.9_x", "a..b"}) EXPECT_TRUE(IsValidName(good)) << good;
  EXPECT_TRUE(IsValidName(std::string(64, 'x')));
  for (const char* bad :
       {"", ".", "..", "a/b", "../x", "-rf", "/abs", "a b", "a\n", "caf\xc3\xa9"}) {
    EXPECT_FALSE(IsValidName(bad)) << bad;
  }
  EXPECT_FALSE(IsValidName(std::string(65, 'x')));
  EXPECT_FALSE(IsValidName(std::string("a\0b", 3)));
}

TEST(Ids, AreSixteenHexadecimalDigitsAndDiffer) {
  const auto one = NewId<CheckpointId>();
  EXPECT_EQ(one.str().size(), 16U);
  EXPECT_EQ(one.str().find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, NewId<CheckpointId>());
}

}  // namespace
}  // namespace crd
