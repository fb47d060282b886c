#include "daemon/core/scope_json.h"

#include <nlohmann/json.hpp>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using nlohmann::json;
using testing::FailsWith;

TEST(ScopeJson, KeepsTheTypeOfEveryValue) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const systemd::Scope scope{
      .name = "docker-1.scope",
      .properties = {{.name = "Delegate", .value = true},
                     {.name = "TasksMax", .value = std::uint64_t{1} << 63U},
                     {.name = "Slice", .value = std::string("system.slice")},
                     {.name = "AllowedCPUs", .value = std::vector<std::uint8_t>{0, 255}},
                     {.name = "DeviceAllow", .value = Pairs{{"/dev/null", "rwm"}, {"b", "r"}}}}};
  ASSERT_OK_AND_ASSIGN(const auto read, ScopeFromJson(json::parse(ToJson(scope).dump())));
  EXPECT_EQ(read, scope);
}

TEST(ScopeJson, RefusesWhatIsNoValue) {
  for (const char* value : {"-1", "null", "[]", "[1,\"a\"]", "[300]", "[[\"a\"]]", "1.5", "{}"}) {
    const json object = {
        {"name", "a.scope"},
        {"properties", json::array({{{"name", "Slice"}, {"value", json::parse(value)}}})}};
    EXPECT_THAT(ScopeFromJson(object), FailsWith(Code::kDataLoss)) << value;
  }
  EXPECT_THAT(ScopeFromJson({{"properties", {1}}}), FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd
