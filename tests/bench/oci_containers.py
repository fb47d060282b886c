"""The same container for everybody: one shell with its own namespaces, a bind mount, a memory limit."""
import json
import os
import shutil
import subprocess
import tarfile

from processes import eventually, read, timed

PROGRAM = ("i=0; while :; do i=$((i+1)); echo $i >/data/count.new; /bin/busybox mv /data/count.new /data/count; "
           "/bin/busybox sleep 0.1; done")
IMAGE = "localhost/crd-bench"


def make_root(directory):
    for name in ("bin", "proc", "sys", "dev", "tmp", "data", "etc", "run"):
        os.makedirs(os.path.join(directory, name))
    shutil.copy("/bin/busybox", os.path.join(directory, "bin/busybox"))
    os.symlink("busybox", os.path.join(directory, "bin/sh"))


def count(data):
    try:
        return int(read(os.path.join(data, "count")) or 0)
    except FileNotFoundError:
        return 0


def await_counting(data, what):
    before = count(data)
    eventually(lambda: count(data) > before, what)


class RuntimeContainer:
    """A bundle as `runc spec` writes it: its namespaces, mounts, masked and read-only paths."""

    def __init__(self, runtime, directory):
        self.runtime, self.id = runtime, "crd-bench-" + runtime
        self.bundle, self.data = os.path.join(directory, "bundle"), os.path.join(directory, "data")
        self.root, self.output = os.path.join(directory, "runtime"), os.path.join(directory, "runtime.out")
        self.log = "/dev/null"  # a file would be outside of the container: runc cannot dump that
        if os.path.exists(self.bundle):
            return
        make_root(os.path.join(self.bundle, "rootfs"))
        os.makedirs(self.data)
        subprocess.run(["runc", "spec", "--bundle", self.bundle], check=True)
        path = os.path.join(self.bundle, "config.json")
        config = json.loads(read(path))
        config["process"].update(terminal=False, args=["/bin/sh", "-c", PROGRAM], rlimits=[])
        config["mounts"].append({"destination": "/data", "type": "bind", "source": self.data, "options": ["rbind", "rw"]})
        config["linux"]["resources"]["memory"] = {"limit": 64 << 20}
        with open(path, "w") as file:
            json.dump(config, file)

    def command(self, *words):
        return [shutil.which(self.runtime), "--root", self.root, *words]

    def run(self):
        timed(self.command("run", "--detach", "--bundle", self.bundle, self.id), self.log)
        await_counting(self.data, "the container's start")

    def state(self):
        return json.loads(subprocess.run(self.command("state", self.id), capture_output=True, check=True).stdout)

    def delete(self):
        timed(self.command("delete", "--force", self.id), self.output)


class PodmanContainer:
    """podman's own, made of the same root; nothing of it is outside of a directory of ours."""

    def __init__(self, directory):
        self.id, self.data = "crd-bench-podman", os.path.join(directory, "data")
        self.directory, self.output = directory, os.path.join(directory, "podman.out")
        archive = os.path.join(directory, "root.tar")
        make_root(os.path.join(directory, "image"))
        with tarfile.open(archive, "w") as tar:
            tar.add(os.path.join(directory, "image"), arcname=".")
        timed(self.command("import", archive, IMAGE), self.output)

    def command(self, *words):
        at = lambda name: os.path.join(self.directory, "podman", name)
        return ["/usr/bin/podman", "--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"),
                "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc",
                *words]

    def run(self):
        timed(self.command("run", "--detach", "--name", self.id, "--network", "none", "--memory", "64m", "--log-driver", "none",
                           "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--volume", self.data + ":/data", IMAGE, "/bin/sh", "-c", PROGRAM), self.output)
        await_counting(self.data, "the container's start")

    def delete(self):
        timed(self.command("rm", "--force", "--time", "0", self.id), self.output)

    def remove_everything(self):
        timed(self.command("rmi", "--force", IMAGE), self.output)
        subprocess.run(["umount", "--lazy", os.path.join(self.directory, "podman/root/vfs")], stderr=subprocess.DEVNULL, check=False)
