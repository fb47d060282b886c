#include "daemon/criu/cgroup_yard.h"

#include <filesystem>

#include <daemon/criu/criu_images.pb.h>

#include "daemon/base/files.h"
#include "daemon/criu/record_file.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::criu {
namespace {

using testing::FailsWith;
using testing::IsOk;
namespace fs = std::filesystem;

class CgroupYardTest : public ::testing::Test {
 protected:
  CgroupYardTest() : images_(std::move(*OpenDirectory(place_.path()))) {
    AddHierarchy({"cpu", "cpuacct"});
    AddHierarchy({"name=systemd"});
    AddHierarchy({""});
  }

  void AddHierarchy(const std::vector<std::string>& names) {
    auto& hierarchy = *entry_.add_controllers();
    for (const std::string& name : names) hierarchy.add_cnames(name);
  }
  void AddSet(const std::string& controller, const std::string& path, std::uint32_t prefix) {
    auto& member = *entry_.add_sets()->add_ctls();
    member.set_name(controller);
    member.set_path(path);
    if (prefix > 0) member.set_cgns_prefix(prefix);
  }
  Result<CgroupYard> Make() {
    EXPECT_THAT(WriteRecords(images_.ref(), "cgroup.img", {0x54564319, 0x59383330},
                             {entry_.SerializeAsString()}),
                IsOk());
    return CgroupYard::Make(images_.ref(), Directory());
  }
  [[nodiscard]] std::string Directory() const { return place_.path() + "/yard"; }
  [[nodiscard]] bool HasFile(const std::string& cgroup) const {
    return fs::is_regular_file(Directory() + "/" + cgroup + "/cgroup.procs");
  }

  testing::TempDir place_;
  UniqueFd images_;
  criu_images::cgroup_entry entry_;
};

TEST_F(CgroupYardTest, HasAFileWhereverCriuMovesTheTreeTo) {
  AddSet("cpu", "/box", 4);
  AddSet("name=systemd", "/box/within", 4);
  AddSet("", "/", 0);
  {
    ASSERT_OK_AND_ASSIGN(const CgroupYard yard, Make());
    EXPECT_EQ(yard.path(), Directory());
    EXPECT_TRUE(HasFile("cpu,cpuacct/box"));
    EXPECT_TRUE(HasFile("systemd/box"));
    EXPECT_TRUE(HasFile("systemd/box/within"));
    EXPECT_TRUE(HasFile("unified"));
  }
  EXPECT_FALSE(fs::exists(Directory()));
}

TEST_F(CgroupYardTest, LeadsNowhereElse) {
  AddSet("", "/box/../../out", 4);
  EXPECT_THAT(Make(), FailsWith(Code::kDataLoss));
  EXPECT_FALSE(fs::exists(place_.path() + "/out"));
  EXPECT_FALSE(fs::exists(Directory()));
}

TEST_F(CgroupYardTest, BelievesNoHierarchyThatIsNotThere) {
  AddSet("memory", "/box", 4);
  EXPECT_THAT(Make(), FailsWith(Code::kDataLoss));
}

TEST_F(CgroupYardTest, BelievesNoPrefixBeyondThePath) {
  AddSet("", "/box", 5);
  EXPECT_THAT(Make(), FailsWith(Code::kDataLoss));
}

TEST_F(CgroupYardTest, WantsACgroupNamespace) {
  AddSet("", "/box", 0);
  EXPECT_THAT(Make(), FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::criu
