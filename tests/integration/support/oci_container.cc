#include "tests/integration/support/oci_container.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/base/ids.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kProgram =
    "i=0; while :; do i=$((i+1)); echo $i >/data/count.new; mv /data/count.new /data/count; "
    "echo $i; sleep 0.1; done";

bool HostIsHybrid() { return fs::exists("/sys/fs/cgroup/unified"); }
bool HostIsV2() { return fs::exists("/sys/fs/cgroup/cgroup.controllers"); }

json Mount(const char* destination, const char* type, const std::string& source,
           std::vector<std::string> options) {
  return {{"destination", destination},
          {"type", type},
          {"source", source},
          {"options", std::move(options)}};
}

// Prefix of a command that sees other cgroups than the test.
std::vector<std::string> Wrapper(Flavour flavour) {
  const auto in_namespace = [](const std::string& prepare) {
    return std::vector<std::string>{
        "unshare", "--mount", "--propagation", "private", "sh", "-c", prepare + " && exec \"$@\"",
        "sh"};
  };
  if (flavour == Flavour::kCrun && HostIsHybrid()) {
    return in_namespace("umount /sys/fs/cgroup/unified");
  }
  if (flavour == Flavour::kRuncV2 && !HostIsV2()) {
    return in_namespace("umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup");
  }
  return {};
}

}  // namespace

std::string FlavourName(Flavour flavour) {
  switch (flavour) {
    case Flavour::kRunc:
      return "runc";
    case Flavour::kCrun:
      return "crun";
    case Flavour::kRuncV2:
      break;
  }
  return "runc_v2";
}

OciContainer::OciContainer(ChildReaper& reaper, const std::string& directory, Flavour flavour)
    : reaper_(reaper),
      directory_(directory + "/" + FlavourName(flavour)),
      flavour_(flavour),
      id_("crd-test-" + RandomHex16()) {
  const std::string rootfs = bundle() + "/rootfs";
  for (const char* name : {"bin", "proc", "sys", "dev", "tmp", "data"}) {
    fs::create_directories(rootfs + "/" + name);
  }
  fs::create_directories(data());
  fs::create_directories(root());
  fs::copy_file("/bin/busybox", rootfs + "/bin/busybox");
  for (const char* name : {"sh", "sleep", "cat", "mv", "echo", "true", "touch", "ln", "mkfifo",
                           "ls", "mkdir", "stat", "chmod"}) {
    fs::create_symlink("busybox", rootfs + "/bin/" + name);
  }
}

OciContainer::~OciContainer() { Runtime({"delete", "--force", id_}); }

json OciContainer::Config() const {
  json config = {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"/bin/sh", "-c", kProgram}},
        {"env", {"PATH=/bin"}},
        {"cwd", "/"},
        {"noNewPrivileges", true}}},
      {"root", {{"path", "rootfs"}, {"readonly", true}}},
      {"hostname", "crd-test"},
      {"linux",
       {{"resources", {{"devices", {{{"allow", false}, {"access", "rwm"}}}}}},
        {"namespaces",
         {{{"type", "pid"}},
          {{"type", "network"}},
          {{"type", "ipc"}},
          {{"type", "uts"}},
          {{"type", "mount"}}}},
        {"maskedPaths", {"/proc/acpi", "/proc/keys", "/proc/timer_list", "/sys/firmware"}},
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}}}}};
  config["mounts"] = {
      Mount("/proc", "proc", "proc", {}),
      Mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      Mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666"}),
      Mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=1024k"}),
      Mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      Mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}),
      Mount("/data", "bind", data(), {"rbind", "rw"})};
  return config;
}

std::vector<std::string> OciContainer::CommandLine(const std::vector<std::string>& words) const {
  std::vector<std::string> line = Wrapper(flavour_);
  line.push_back(runtime());
  if (!slice_.empty()) line.emplace_back("--systemd-cgroup");
  line.emplace_back("--root");
  line.push_back(root());
  line.insert(line.end(), words.begin(), words.end());
  return line;
}

bool OciContainer::Run(const Change& change, const std::string& output) {
  return RunAs(change, {}, {.path = output.empty() ? out() : output});
}

bool OciContainer::RunInto(FdRef pipe, const Change& change) {
  return RunAs(change, {}, {.path = "", .fd = pipe.get()});
}

bool OciContainer::RunWithConsole(const std::string& socket, const Change& change) {
  const auto with_terminal = [&](json& config) {
    config["process"]["terminal"] = true;
    change(config);
  };
  return RunAs(with_terminal, {"--console-socket", socket}, {.path = out()});
}

bool OciContainer::RunAs(const Change& change, const std::vector<std::string>& options,
                         const Launch::Stream& output) {
  json config = Config();
  if (!slice_.empty()) {
    const std::size_t dash = id_.rfind('-');
    config["linux"]["cgroupsPath"] =
        slice_ + ":" + id_.substr(0, dash) + ":" + id_.substr(dash + 1);
  }
  if (change) change(config);
  Spill(bundle() + "/config.json", config.dump());
  Spill(out(), "");
  std::vector<std::string> words = {"run", "--detach", "--bundle", bundle()};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(id_);
  Process run(reaper_, {.argv = CommandLine(words), .out = output, .err = output});
  const ExitStatus status = run.Wait(Within(kPatience));
  if (status != ExitStatus{.code = 0}) {
    std::fprintf(stderr, "run: %s\n", Slurp(out()).c_str());
    return false;
  }
  return WaitUntil([&] { return Count() > 0; });
}

Outcome OciContainer::Runtime(const std::vector<std::string>& words) {
  return RunProgram(reaper_, CommandLine(words));
}

void OciContainer::PutRuntimeInto(const std::string& directory) const {
  const std::string name = runtime();
  std::string script = "#!/bin/sh\nexec";
  for (const std::string& word : Wrapper(flavour_)) script += " '" + word + "'";
  const std::string file = fs::path(directory) / name;
  Spill(file, script + " \"$(PATH=/usr/bin:/usr/sbin command -v " + name + ")\" \"$@\"\n");
  fs::permissions(file, fs::perms::owner_all);
}

std::string OciContainer::runtime() const { return flavour_ == Flavour::kCrun ? "crun" : "runc"; }

bool OciContainer::RuntimeHasCriu() {
  return flavour_ != Flavour::kCrun ||
         Runtime({"--version"}).out.find("+CRIU") != std::string::npos;
}

Outcome OciContainer::RuntimeWithCriu(const std::string& criu, std::vector<std::string> words) {
  if (flavour_ != Flavour::kCrun) {
    words.insert(words.begin(), {"--criu", criu});
    return Runtime(words);
  }
  // libcriu, which crun 1.21 leaves this to, runs the first `criu` in PATH.
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody changes it
  std::vector<std::string> line = {
      "env", "PATH=" + fs::path(criu).parent_path().string() + ":" + (path == nullptr ? "" : path)};
  const std::vector<std::string> plain = CommandLine(words);
  line.insert(line.end(), plain.begin(), plain.end());
  return RunProgram(reaper_, line);
}

std::string OciContainer::Status() {
  const json state = json::parse(Runtime({"state", id_}).out, nullptr, false);
  return state.is_object() ? state.value("status", "") : "";
}

pid_t OciContainer::Pid() {
  const json state = json::parse(Runtime({"state", id_}).out, nullptr, false);
  return state.is_object() ? state.value("pid", 0) : 0;
}

std::string OciContainer::CgroupDirectory() {
  const std::string cgroups = CgroupsOfProcess(Pid());
  const auto path_after = [&](const std::string& mark) {
    const std::size_t at = cgroups.find(mark);
    if (at == std::string::npos) return std::string();
    const std::size_t start = at + mark.size();
    return cgroups.substr(start, cgroups.find('\n', start) - start);
  };
  const std::string v2 = path_after("0::");
  if (v2.empty() || v2 == "/") return "/sys/fs/cgroup/freezer" + path_after(":freezer:");
  return (HostIsHybrid() ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup") + v2;
}

void OciContainer::Freeze() {
  const std::string directory = CgroupDirectory();
  if (fs::exists(directory + "/cgroup.freeze")) {
    WriteControl(directory + "/cgroup.freeze", "1");
  } else {
    WriteControl(directory + "/freezer.state", "FROZEN");
  }
}

long OciContainer::Count() const {
  return std::strtol(Slurp(data() + "/count").c_str(), nullptr, 10);
}

bool OciContainer::Counts() const {
  const long before = Count();
  return WaitUntil([&] { return Count() > before + 1; });
}

void SetNamespace(json& config, const std::string& type, const std::string& path) {
  auto& namespaces = config["linux"]["namespaces"];
  json wanted = {{"type", type}};
  if (!path.empty()) wanted["path"] = path;
  for (auto& one : namespaces) {
    if (one["type"] != type) continue;
    one = wanted;
    return;
  }
  namespaces.push_back(wanted);
}

void LeaveOutSys(json& config) {
  json& mounts = config["mounts"];
  for (std::size_t i = mounts.size(); i-- > 0;) {
    if (mounts[i]["destination"].get<std::string>().starts_with("/sys")) mounts.erase(i);
  }
  config["linux"]["maskedPaths"] = {"/proc/keys"};
}

std::vector<std::string> MountsOf(pid_t pid) {
  std::vector<std::string> mounts;
  std::istringstream lines(Slurp("/proc/" + std::to_string(pid) + "/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::string id, parent, device, root, mountpoint, options;
    std::istringstream fields(line);
    fields >> id >> parent >> device >> root >> mountpoint >> options;
    // How access times are kept comes from the host's mount where there is one.
    if (const auto at = options.find(",relatime"); at != std::string::npos) options.erase(at, 9);
    mounts.push_back(mountpoint.append(" ").append(options));
  }
  std::sort(mounts.begin(), mounts.end());
  return mounts;
}

std::vector<std::string> LimitsOf(pid_t pid) {
  constexpr const char* kNames[] = {"pids.max", "memory.limit_in_bytes", "cpu.shares", "memory.max",
                                    "cpu.max",  "devices.list"};
  std::vector<std::string> limits;
  std::istringstream lines(CgroupsOfProcess(pid));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers == "name=systemd") controllers = "systemd";
    std::string directory = "/sys/fs/cgroup/" + controllers;
    if (controllers.empty()) {
      directory = HostIsHybrid() ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
    }
    directory += line.substr(second + 1);
    for (const char* name : kNames) {
      const std::string text = Slurp(directory + "/" + name);
      if (!text.empty()) limits.push_back(std::string(name) + " " + text);
    }
  }
  return limits;
}

void WriteControl(const std::string& file, const std::string& text) {
  std::ofstream(file) << text << std::flush;
}

std::string CgroupsOfProcess(pid_t pid) {
  return Slurp("/proc/" + std::to_string(pid) + "/cgroup");
}

}  // namespace crd::testing
