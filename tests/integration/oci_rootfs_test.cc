// The writable layer of containers: what changed in their roots goes with a checkpoint.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/integration/support/oci_fixture.h"
#include "tests/support/tree_text.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

// Changes its root, and then counts as others do; its files in the root stay open.
constexpr const char* kProgram =
    "b=/bin/busybox; echo new >/created; $b ln /created /created-too; echo changed >/modified; "
    "$b rm /deleted; $b rm -r /replaced; $b mkdir /replaced; echo x >/replaced/new; "
    "echo end | $b dd of=/sparse bs=1 seek=4194304 2>/dev/null; $b mkfifo /fifo; "
    "$b ln -s created /link; exec 3>>/held; "
    "i=0; while :; do i=$((i+1)); echo $i >&3; echo $i >/data/count.new; "
    "mv /data/count.new /data/count; sleep 0.1; done";

class OciRootfs : public OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    fs::create_directory(root() + "/replaced");
    for (const char* name : {"/modified", "/deleted", "/replaced/old", "/owned", "/same"}) {
      Spill(root() + name, "as it was");
    }
    Copy(root(), base_);
  }
  void TearDown() override {
    const std::string overlay = root();
    OciFixture::TearDown();
    while (::umount2(overlay.c_str(), MNT_DETACH) == 0) {
    }
  }

  [[nodiscard]] std::string root() const { return container_->bundle() + "/rootfs"; }
  void Copy(const std::string& from, const std::string& to) {
    ASSERT_EQ(RunProgram(reaper_, {"cp", "-a", from, to}).exit, 0);
  }
  // A new overlay of the base, over the root.
  void MountOverlay(const std::string& also = "index=off") {
    const std::string place = dir_ / ("overlay" + std::to_string(++overlays_));
    fs::create_directories(place + "/upper");
    fs::create_directories(place + "/work");
    const std::string options =
        also + ",lowerdir=" + base_ + ",upperdir=" + place + "/upper,workdir=" + place + "/work";
    ASSERT_EQ(::mount("overlay", root().c_str(), "overlay", 0, options.c_str()), 0);
  }
  // And what a shell cannot, or not without capabilities.
  void RunChanging() {
    ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
      config["root"]["readonly"] = false;
      config["process"]["args"] = {"/bin/sh", "-c", kProgram};
    }));
    ASSERT_EQ(::chown((root() + "/owned").c_str(), 12, 34), 0);
    ASSERT_EQ(::setxattr((root() + "/created").c_str(), "user.crd", "x", 1, 0), 0);
    const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
    ASSERT_EQ(::setxattr((root() + "/owned").c_str(), "security.capability", capability, 20, 0), 0);
  }
  // All but what the container goes on to write to.
  static TreeText::Lines Tree(const std::string& root) {
    auto lines = TreeText::Of(root);
    EXPECT_EQ(lines.erase("held"), 1U);
    return lines;
  }
  // Another bundle like its own, with a root as it was before it ran.
  std::string FreshBundle(const std::string& name) {
    std::string bundle = dir_ / name;
    fs::create_directory(bundle);
    fs::copy_file(container_->bundle() + "/config.json", bundle + "/config.json");
    Copy(base_, bundle + "/rootfs");
    return bundle;
  }
  void Kill() {
    EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
    EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  }

  const std::string base_ = dir_ / "base";
  int overlays_ = 0;
};

TEST_P(OciRootfs, ComesBackInANewOverlay) {
  MountOverlay();
  RunChanging();
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff"});
  const auto was = Tree(root());
  EXPECT_THAT(was.at("owned"), HasSubstr("security.capability"));
  EXPECT_THAT(was.at("created"), HasSubstr("links 2"));
  EXPECT_FALSE(was.contains("deleted") || was.contains("replaced/old"));
  const auto shown = crctl_.Json({"show", checkpoint});
  EXPECT_EQ(shown["rootfs_diff"].value("base", ""), "");
  EXPECT_EQ(shown["rootfs_diff"].value("size_bytes", ""),
            std::to_string(fs::file_size(ImagesOf(checkpoint) + "/rootfs-diff.tar.zst")));
  ASSERT_EQ(::umount(root().c_str()), 0);
  MountOverlay();
  // Without it, its files are not there.
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "--rootfs-diff"));
  Restored(checkpoint, {"--rootfs-diff"});
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(TreeText::Differences(was, Tree(root())), IsEmpty());
  // What it is in now is what the next one goes by.
  Spill(root() + "/later", "x");
  const std::string second = CheckpointedContainer({"--rootfs-diff"});
  const auto then = Tree(root());
  ASSERT_EQ(::umount(root().c_str()), 0);
  MountOverlay();
  Restored(second, {"--rootfs-diff"});
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(TreeText::Differences(then, Tree(root())), IsEmpty());
}

TEST_P(OciRootfs, ComesBackInAnotherBundleFromABase) {
  RunChanging();
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base_});
  EXPECT_EQ(crctl_.Json({"show", checkpoint})["rootfs_diff"].value("base", ""), base_);
  const auto was = Tree(root());
  const std::string bundle = FreshBundle("fresh");
  fs::rename(container_->bundle(), dir_ / "gone");
  // Nothing of what it did is in a root that it has never seen, unless it is laid down.
  EXPECT_TRUE(
      Refused(crctl_({"restore", checkpoint, "--bundle", bundle, "--no-rootfs-diff"}), "held"));
  // Twice: the second finds what the first has left, and what the container has made of it.
  for (int i = 0; i < 2; ++i) {
    Restored(checkpoint, {"--bundle", bundle});
    EXPECT_TRUE(container_->Counts());
    EXPECT_THAT(TreeText::Differences(was, Tree(bundle + "/rootfs")), IsEmpty());
    if (i == 0) Kill();
  }
  fs::rename(dir_ / "gone", container_->bundle());
}

TEST_P(OciRootfs, IsSavedOfOneThatRunsOn) {
  RunChanging();
  const std::string checkpoint =
      CheckpointedContainer({"--rootfs-diff=" + base_, "--leave-running"});
  EXPECT_TRUE(container_->Counts());
  Kill();
  // In its own bundle the root is left as it is, and has gone on; the layer takes it back.
  Spill(root() + "/modified", "meanwhile");
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(Slurp(root() + "/modified"), "meanwhile");
  Kill();
  Restored(checkpoint, {"--rootfs-diff"});
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(Slurp(root() + "/modified"), "changed\n");
}

TEST_P(OciRootfs, IsRefusedWhereNothingTellsWhatChanged) {
  RunChanging();
  const auto refused = [&](const std::string& option, const std::string& text) {
    return Refused(crctl_(With({"checkpoint", container_->id(), option})), text);
  };
  const std::vector<std::pair<std::string, std::string>> useless = {
      {"--rootfs-diff", "it is no overlay"},
      {"--rootfs-diff=" + root(), "that root itself"},
      {"--rootfs-diff=" + (dir_ / "nowhere"), "nowhere"}};
  for (const auto& [option, text] : useless) {
    EXPECT_TRUE(refused(option, text));
    const Outcome checked = crctl_(With({"check", container_->id(), option}));
    EXPECT_EQ(checked.exit, 1);
    EXPECT_THAT(checked.out, HasSubstr(text));
  }
  EXPECT_EQ(crctl_(With({"check", container_->id(), "--rootfs-diff=" + base_})).exit, 0);
  const Process tree(reaper_, Launch{.argv = {"sleep", "1000"}});
  const std::string pid = std::to_string(tree.pid());
  EXPECT_THAT(crctl_({"check", "--pid", pid, "--rootfs-diff"}).out, HasSubstr("is no container's"));
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(FilesIn(crd_.state() + "/checkpoints/.staging"), IsEmpty());
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--rootfs-diff"}), "does not hold"));
  Restored(checkpoint);
  // Names that stand for something else in a layer: found while it is frozen, and it runs on.
  Spill(root() + "/.wh.something", "x");
  EXPECT_TRUE(refused("--rootfs-diff=" + base_, ".wh."));
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(FilesIn(crd_.state() + "/checkpoints/.staging"), IsEmpty());
}

TEST_P(OciRootfs, IsRefusedOfAnOverlayThatDoesNotTellAll) {
  MountOverlay("index=on");
  RunChanging();
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id(), "--rootfs-diff"})), "an index"));
  EXPECT_TRUE(container_->Counts());
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base_});
  const auto was = Tree(root());
  const std::string bundle = FreshBundle("fresh");
  Restored(checkpoint, {"--bundle", bundle});
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(TreeText::Differences(was, Tree(bundle + "/rootfs")), IsEmpty());
}

TEST_P(OciRootfs, IsNotLaidDownFromADamagedFile) {
  RunChanging();
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base_});
  const std::string bundle = FreshBundle("fresh");
  const auto fresh = TreeText::Of(bundle + "/rootfs");
  const std::string file = ImagesOf(checkpoint) + "/rootfs-diff.tar.zst";
  const std::string other = dir_ / "other.tar";
  ASSERT_EQ(RunProgram(reaper_, {"tar", "-C", base_, "-cf", other, "."}).exit, 0);
  fs::copy_file(other, file, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--bundle", bundle}), "rootfs-diff"));
  EXPECT_THAT(TreeText::Differences(fresh, TreeText::Of(bundle + "/rootfs")), IsEmpty());
}

TEST_P(OciRootfs, TellsThatItIsThereWhenTheRestoreFails) {
  RunChanging();
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base_});
  const std::string bundle = FreshBundle("fresh");
  const std::string program = bundle + "/rootfs/bin/busybox";
  fs::remove(program);
  Spill(program, "another");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--bundle", bundle}),
                      "the writable layer is in '" + bundle + "/rootfs' already"));
  EXPECT_TRUE(fs::exists(bundle + "/rootfs/created"));
  fs::remove(program);
  fs::copy_file(base_ + "/bin/busybox", program);
  Restored(checkpoint, {"--bundle", bundle});
  EXPECT_TRUE(container_->Counts());
}

TEST_F(IntegrationTest, TakesNoRootfsDiffOfATree) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string pid = std::to_string(victim.pid());
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", pid, "--rootfs-diff"}), "no container's"));
  Restored(Checkpointed(victim));
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciRootfs, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
