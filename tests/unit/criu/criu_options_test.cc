#include "daemon/criu/criu_options.h"

#include <google/protobuf/text_format.h>

#include "tests/support/result_matchers.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;

std::string Text(const Result<criu_rpc::criu_opts>& options) {
  std::string text;
  if (options.ok()) google::protobuf::TextFormat::PrintToString(*options, &text);
  return text;
}

TEST(DumpOptionsTest, PlainDumpAsksForWhatEveryDumpNeeds) {
  DumpRequest request;
  request.pid = 4242;
  request.images = FdRef(7);
  request.work = FdRef(8);
  EXPECT_EQ(Text(DumpOptionsFor(request)), R"(images_dir_fd: 7
pid: 4242
log_level: 4
log_file: "dump.log"
notify_scripts: true
work_dir_fd: 8
manage_cgroups_mode: IGNORE
network_lock: SKIP
)");
}

TEST(DumpOptionsTest, EveryOptionHasItsField) {
  DumpRequest request;
  request.pid = 1;
  request.images = FdRef(7);
  request.work = FdRef(7);
  request.options = {.leave_running = true,
                     .tcp_established = true,
                     .file_locks = true,
                     .ext_unix_sk = true,
                     .shell_job = true,
                     .link_remap = true,
                     .tcp_skip_in_flight = true,
                     .ghost_limit = 64U << 20U};
  request.external = {"unix[12345]", "file[1f:2a]"};
  EXPECT_EQ(Text(DumpOptionsFor(request)), R"(images_dir_fd: 7
pid: 1
leave_running: true
ext_unix_sk: true
tcp_established: true
shell_job: true
file_locks: true
log_level: 4
log_file: "dump.log"
notify_scripts: true
work_dir_fd: 7
link_remap: true
manage_cgroups_mode: IGNORE
ghost_limit: 67108864
external: "unix[12345]"
external: "file[1f:2a]"
tcp_skip_in_flight: true
network_lock: NFTABLES
)");
}

TEST(DumpOptionsTest, AContainersCgroupAndNetworkHaveTheirFields) {
  DumpRequest request;
  request.pid = 1;
  request.freeze_cgroup = "/sys/fs/cgroup/web";
  request.empty_netns = true;
  const auto options = DumpOptionsFor(request);
  EXPECT_EQ(options->freeze_cgroup(), "/sys/fs/cgroup/web");
  EXPECT_EQ(options->empty_ns(), 0x40000000U);  // CLONE_NEWNET, the only one that CRIU takes
}

TEST(RestoreOptionsTest, AContainersRootAndNetworkHaveTheirFields) {
  RestoreRequest request;
  request.root = "/var/lib/crd/containers/a/root";
  request.empty_netns = true;
  request.evasive_devices = true;
  const auto options = RestoreOptionsFor(request);
  EXPECT_EQ(options->root(), "/var/lib/crd/containers/a/root");
  EXPECT_EQ(options->empty_ns(), 0x40000000U);
  EXPECT_TRUE(options->evasive_devices());
}

TEST(RestoreOptionsTest, ACgroupNamespaceIsMadeInAYard) {
  RestoreRequest request;
  request.cgroup_yard = "/var/lib/crd/containers/a/cgroups";
  const auto options = RestoreOptionsFor(request);
  EXPECT_EQ(options->cgroup_yard(), request.cgroup_yard);
  EXPECT_EQ(options->manage_cgroups_mode(), criu_rpc::CG_NONE);
}

TEST(DumpOptionsTest, GhostLimitBeyondTheFieldIsRefused) {
  DumpRequest request;
  request.options.ghost_limit = 1ULL << 32U;
  EXPECT_THAT(DumpOptionsFor(request), FailsWith(Code::kInvalidArgument));
}

TEST(RestoreOptionsTest, PlainRestoreMakesTheTreeOurChild) {
  RestoreRequest request;
  request.images = FdRef(7);
  request.work = FdRef(8);
  EXPECT_EQ(Text(RestoreOptionsFor(request)), R"(images_dir_fd: 7
log_level: 4
log_file: "restore.log"
notify_scripts: true
work_dir_fd: 8
rst_sibling: true
manage_cgroups_mode: IGNORE
)");
}

TEST(RestoreOptionsTest, EveryOptionHasItsFieldAndInheritedDescriptorsAreNumberedFromTen) {
  RestoreRequest request;
  request.images = FdRef(7);
  request.work = FdRef(7);
  request.tcp_established = true;
  request.tcp_close = true;
  request.file_locks = true;
  request.ext_unix_sk = true;
  request.shell_job = true;
  request.link_remap = true;
  request.external = {"net[4026531840]:key"};
  request.inherit = {{"pipe:[123]", FdRef(40)}, {"pipe:[456]", FdRef(41)}};
  EXPECT_EQ(Text(RestoreOptionsFor(request)), R"(images_dir_fd: 7
ext_unix_sk: true
tcp_established: true
shell_job: true
file_locks: true
log_level: 4
log_file: "restore.log"
notify_scripts: true
work_dir_fd: 7
link_remap: true
rst_sibling: true
inherit_fd {
  key: "pipe:[123]"
  fd: 10
}
inherit_fd {
  key: "pipe:[456]"
  fd: 11
}
manage_cgroups_mode: IGNORE
external: "net[4026531840]:key"
tcp_close: true
)");
}

TEST(RestoreOptionsTest, MoreDescriptorsThanCanBeHandedOverAreRefused) {
  RestoreRequest request;
  request.inherit.assign(kMaxInherited + 1, {"pipe:[1]", FdRef(0)});
  EXPECT_THAT(RestoreOptionsFor(request), FailsWith(Code::kInvalidArgument));
}

}  // namespace
}  // namespace crd::criu
