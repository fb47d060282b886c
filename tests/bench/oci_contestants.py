"""Who checkpoints and restores containers: runtimes and engines by their own commands, CRIU with crd's options, and crd."""
import json
import os
import shutil
import subprocess

from contestants import set_kernel_cache, stop_seconds
from oci_containers import PodmanContainer, RuntimeContainer, await_counting
from processes import eventually, is_gone, read, timed


class Contestant:
    """Each has a container of its own. `kernel_cache` is what CRIU finds in its cache; None: nothing."""

    def __init__(self, name, container, directory, kernel_cache):
        self.name, self.container, self.kernel_cache = name, container, kernel_cache
        self.images, self.output = os.path.join(directory, "images"), os.path.join(directory, "command.out")

    def prepare(self):
        set_kernel_cache(self.kernel_cache)

    def start(self):
        self.container.run()

    def discard(self):
        shutil.rmtree(self.images, ignore_errors=True)

    def check_runs(self):
        await_counting(self.container.data, self.name + ": the restored container")

    def end(self):
        self.container.delete()

    def close(self):
        pass


class Runtime(Contestant):
    def checkpoint(self, leave_running):
        more = ["--leave-running"] if leave_running else []
        took = timed(self.container.command("checkpoint", "--image-path", self.images, "--work-path", self.images, *more,
                                            self.container.id), self.output)
        return {"whole": took, "standstill": stop_seconds(self.images)}

    def restore(self):
        return {"whole": timed(self.container.command("restore", "--detach", "--image-path", self.images, "--work-path",
                                                      self.images, "--bundle", self.container.bundle, self.container.id),
                               self.output)}


class Podman(Contestant):
    def checkpoint(self, leave_running):
        more = ["--leave-running"] if leave_running else []
        took = timed(self.container.command("container", "checkpoint", "--print-stats", *more, self.container.id), self.output)
        statistics = json.loads(read(self.output))["container_statistics"][0]["criu_statistics"]
        return {"whole": took, "standstill": (statistics["freezing_time"] + statistics["frozen_time"]) / 1e6}

    def restore(self):
        return {"whole": timed(self.container.command("container", "restore", self.container.id), self.output)}

    def close(self):
        self.container.remove_everything()


class BareCriu(Contestant):
    """What crd asks of CRIU, asked on its command line. It ends the container's process; cgroups and its runtime do not
    come into it."""

    def __init__(self, criu, *arguments):
        super().__init__("CRIU, primed", *arguments)
        self.criu = criu

    def start(self):
        super().start()
        self.pid = self.container.state()["pid"]

    def command(self, action, *more):
        return [self.criu, "--no-default-config", action, "-D", self.images, "-o", action + ".log", "-v4",
                "--manage-cgroups=ignore", "--empty-ns", "net", *more]

    def freezer(self):
        with open(f"/proc/{self.pid}/cgroup") as file:
            places = dict(line.strip().split(":", 2)[1:] for line in file)
        if "freezer" in places:
            return "/sys/fs/cgroup/freezer" + places["freezer"], "freezer.state", "FROZEN", "THAWED"
        return "/sys/fs/cgroup" + places[""], "cgroup.freeze", "1", "0"

    def checkpoint(self, leave_running):
        os.mkdir(self.images)
        directory, file, freeze, thaw = self.freezer()
        self.sources = {**self.cgroup_mounts(), "/data": self.container.data, "/dev/null": "/dev/null"}
        mounts = self.mounts_to_dump()
        more = ["--leave-running"] if leave_running else []

        def write(text):
            with open(os.path.join(directory, file), "w") as control:
                control.write(text)

        write(freeze)
        try:
            took = timed(self.command("dump", "-t", str(self.pid), "--network-lock", "skip", "--freeze-cgroup", directory, *mounts,
                                      *more), self.output)
        finally:
            write(thaw)
        return {"whole": took, "standstill": stop_seconds(self.images)}

    def restore(self):
        eventually(lambda: is_gone(self.pid), "the end of the container")
        root = os.path.join(os.path.dirname(self.images), "bare-root")
        os.makedirs(root, exist_ok=True)
        subprocess.run(["mount", "--bind", os.path.join(self.container.bundle, "rootfs"), root], check=True)
        mounts = [word for name, source in self.sources.items() for word in ("--external", f"mnt[{name}]:{source}")]
        try:
            took = timed(self.command("restore", "-d", "--root", root, "--pidfile", os.path.join(self.images, "pid"), *mounts),
                         self.output)
        finally:
            subprocess.run(["umount", root], check=True)
        self.pid = int(read(os.path.join(self.images, "pid")))
        return {"whole": took}

    def mounts_to_dump(self):
        """What runc and crd call what comes from the host: masked files, each v1 cgroup, bind mounts."""
        names = {mountpoint: mountpoint for mountpoint in self.cgroup_mounts()}
        config = json.loads(read(os.path.join(self.container.bundle, "config.json")))
        names.update({path: "/dev/null" for path in config["linux"]["maskedPaths"] if os.path.isfile(path)})
        names["/data"] = "/data"
        return [word for mountpoint, name in names.items() for word in ("--external", f"mnt[{mountpoint}]:{name}")]

    def cgroup_mounts(self):
        """Where each v1 cgroup is in the container, and on the host."""
        with open(f"/proc/{self.pid}/mountinfo") as file:
            mounts = [line.split() for line in file]
        return {mount[4]: mount[4] + mount[3] for mount in mounts if mount[mount.index("-") + 1] == "cgroup"}

    def end(self):
        if not is_gone(self.pid):
            os.kill(self.pid, 9)
            eventually(lambda: is_gone(self.pid), "the end of the container")
        self.container.delete()


class CrdContainers(Contestant):
    def __init__(self, crd, *arguments):
        super().__init__("crd", *arguments)
        self.crd = crd

    def prepare(self):
        self.crd.prepare()

    def checkpoint(self, leave_running):
        figures, statistics = self.crd.checkpoint_of(self.container.id, "--root", self.container.root,
                                                     leave_running=leave_running)
        return {**figures, "standstill": (int(statistics["freezing_us"]) + int(statistics["frozen_us"])) / 1e6}

    def restore(self):
        return self.crd.restore()

    def discard(self):
        self.crd.run("rm", self.crd.last)

    def end(self):
        super().end()
        eventually(lambda: not self.crd.run("ps", "--quiet")[1], "crd's notice of the end")
        self.crd.forget_ended()


def all_contestants(crd, criu, directory, kernel_cache):
    """Not crun where it is built without CRIU, nor podman where there is none; says so."""
    os.environ["PATH"] = os.path.dirname(criu) + ":" + os.environ["PATH"]
    runc = RuntimeContainer("runc", directory)
    contestants = [Runtime("runc", runc, directory, None), Runtime("runc, primed", runc, directory, kernel_cache)]
    if "+CRIU" in subprocess.run(["crun", "--version"], capture_output=True, text=True, check=False).stdout:
        contestants.append(Runtime("crun", RuntimeContainer("crun", directory), directory, None))
    else:
        print("\ncrun is not here or built without CRIU: it is not compared")
    if shutil.which("podman"):
        contestants.append(Podman("podman", PodmanContainer(directory), directory, None))
    else:
        print("\nthere is no podman: it is not compared")
    contestants.append(BareCriu(criu, runc, directory, kernel_cache))
    return [*contestants, CrdContainers(crd, runc, directory, kernel_cache)]
