#include "daemon/runtime/oci_json.h"

#include <string>

#include "tests/support/result_matchers.h"

namespace crd::runtime {
namespace {

using testing::FailsWith;

TEST(OciJson, RefusesWhatIsNoObject) {
  for (const char* text : {"", "{", "[]", "null", "7", "\"x\"", "{\"a\":1} trailing", "\xff{}"}) {
    EXPECT_THAT(ParseObject(text), FailsWith(Code::kDataLoss)) << text;
  }
}

TEST(OciJson, RefusesWhatIsTooDeepOrTooLarge) {
  std::string deep = "{\"a\":";
  deep.append(200000, '[');
  EXPECT_THAT(ParseObject(deep), FailsWith(Code::kDataLoss));
  const std::string large = "{\"a\":\"" + std::string(kJsonBytes, 'x') + "\"}";
  EXPECT_THAT(ParseObject(large), FailsWith(Code::kDataLoss));
}

TEST(OciJson, TakesNullForMissing) {
  ASSERT_OK_AND_ASSIGN(const auto object, ParseObject(R"({"a":null})"));
  ASSERT_OK_AND_ASSIGN(const std::string text, Text(object, "a"));
  EXPECT_EQ(text, "");
  ASSERT_OK_AND_ASSIGN(const auto texts, Texts(object, "a"));
  EXPECT_TRUE(texts.empty());
  ASSERT_OK_AND_ASSIGN(const auto* inner, Object(object, "a"));
  EXPECT_TRUE(inner->empty());
  ASSERT_OK_AND_ASSIGN(const bool flag, Flag(object, "b"));
  EXPECT_FALSE(flag);
}

TEST(OciJson, RefusesMembersOfAnotherType) {
  ASSERT_OK_AND_ASSIGN(const auto object,
                       ParseObject(R"({"a":[1],"n":1.5,"big":18446744073709551615})"));
  EXPECT_THAT(Text(object, "a"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Texts(object, "a"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Objects(object, "a"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Object(object, "a"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Flag(object, "a"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Number(object, "n"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Number(object, "big"), FailsWith(Code::kDataLoss));
}

TEST(OciJson, RefusesPathsThatTheKernelWouldRead) {
  ASSERT_OK_AND_ASSIGN(const auto object, ParseObject(R"({"nul":"/etc\u0000/x","long":")" +
                                                      std::string(kTextBytes, 'x') + "\"}"));
  EXPECT_THAT(Text(object, "nul"), FailsWith(Code::kDataLoss));
  EXPECT_THAT(Text(object, "long"), FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::runtime
