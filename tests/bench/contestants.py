"""Who is compared: CRIU by itself, and crd by way of crctl. Each takes a pid, and gives seconds for whole commands."""
import json
import os
import shutil
import signal
import struct
import time

from processes import Failed, eventually, is_gone, read, spawn, timed, wait_for

KERNEL_CACHE = "/run/criu.kdat"  # bench.py has given us a /run of our own


def fields_of(message):
    """The numbers of a protobuf message, by field."""
    result, at = {}, 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 2:
            length = varint()
            result[key >> 3] = message[at : at + length]
            at += length
        else:
            result[key >> 3] = varint()
    return result


def dump_statistics(directory):
    """CRIU's stats-dump: two magics, a length, a StatsEntry whose field 1 is the dump's; of that, 1 is freezing_time and 2 is
    frozen_time, in microseconds."""
    with open(os.path.join(directory, "stats-dump"), "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<I", content, 8)
    return fields_of(fields_of(content[12 : 12 + length])[1])


def frozen_seconds(directory):
    return dump_statistics(directory)[2] / 1e6


def stop_seconds(directory):
    statistics = dump_statistics(directory)
    return (statistics[1] + statistics[2]) / 1e6


def set_kernel_cache(content):
    """What CRIU finds in its cache; None or nothing: no cache."""
    if os.path.exists(KERNEL_CACHE):
        os.unlink(KERNEL_CACHE)
    if content:
        with open(os.open(KERNEL_CACHE, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)


class Bare:
    """criu dump and criu restore -d with the options that crd uses. Its images are not synced, and never verified."""

    def __init__(self, criu, directory, kernel_cache):
        self.criu, self.kernel_cache = criu, kernel_cache
        self.name = "CRIU, primed" if kernel_cache else "CRIU, unprimed"
        self.output = os.path.join(directory, "criu.out")
        self.images = os.path.join(directory, "images")

    def prepare(self):
        set_kernel_cache(self.kernel_cache)

    def command(self, action, *more):
        return [self.criu, "--no-default-config", action, "-D", self.images, "-o", action + ".log", "-v4",
                "--manage-cgroups=ignore", *more]

    def checkpoint(self, pid, leave_running):
        os.mkdir(self.images)
        more = ["--leave-running"] if leave_running else []
        took = timed(self.command("dump", "-t", str(pid), "--network-lock", "skip", *more), self.output)
        return {"whole": took, "frozen": frozen_seconds(self.images)}

    def restore(self):
        return {"whole": timed(self.command("restore", "-d"), self.output)}

    def discard(self):
        shutil.rmtree(self.images)


def restore_stages(begin, end, events):
    """crd keeps no stage times of a restore, but an event of each of its records."""
    records = [int(event["time_us"]) / 1e6 for event in events if event["subject"] == "container"]
    marks = [begin, *records, end]
    names = ["to first record", "to adoption", "to running", "to crctl's end"]
    return {"stage " + name: later - earlier for name, earlier, later in zip(names, marks, marks[1:])}


class Crd:
    """A crd of our own, asked through crctl."""

    name = "crd"

    def __init__(self, build, criu, directory):
        self.crd, self.crctl = os.path.join(build, "daemon/crd"), os.path.join(build, "client/crctl")
        self.criu, self.directory = criu, directory
        self.output = os.path.join(directory, "crctl.out")
        self.log = os.path.join(directory, "crd.log")
        os.environ["CRD_SOCKET"] = "unix://" + os.path.join(directory, "crd.sock")
        self.pid = None

    def start(self, log_level="info"):
        """How long until it answers, in seconds."""
        begin = time.perf_counter()
        at = lambda name: os.path.join(self.directory, name)
        self.pid = spawn([self.crd, "--socket", at("crd.sock"), "--state-dir", at("state"), "--run-dir", at("run"),
                          "--config", "/dev/null", "--criu", self.criu, "--log-level", log_level], self.log)
        eventually(self.answers, "crd's first answer")
        return time.perf_counter() - begin

    def answers(self):
        if is_gone(self.pid):
            raise Failed("crd ended: " + read(self.log)[-2000:])
        return wait_for(spawn([self.crctl, "info"], self.output)) == 0

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        if wait_for(self.pid) != 0:
            raise Failed("crd ended badly: " + read(self.log)[-2000:])
        self.pid = None

    def end_everything(self):
        for container in self.run("ps", "--quiet")[1].split():
            self.run("kill", "--signal", "KILL", container)
            self.run("wait", container)
        self.stop()

    def prepare(self):
        """Its kernel cache is its own business, and whoever was here before may have taken it away."""
        if not os.path.exists(KERNEL_CACHE):
            shutil.copy2(os.path.join(self.directory, "kdat"), KERNEL_CACHE)

    def run(self, *arguments):
        took = timed([self.crctl, *arguments], self.output)
        return took, read(self.output).strip()

    def show(self, key):
        return json.loads(self.run("show", key, "--json")[1])

    def checkpoint(self, pid, leave_running):
        figures, statistics = self.checkpoint_of("--pid", str(pid), leave_running=leave_running)
        return {**figures, "frozen": int(statistics["frozen_us"]) / 1e6}

    def checkpoint_of(self, *subject, leave_running):
        """Times of the command and of crd's stages, and CRIU's statistics."""
        more = ["--leave-running"] if leave_running else []
        took, self.last = self.run("checkpoint", *subject, *more)
        shown = self.show(self.last)
        stages = {"stage " + stage["stage"]: int(stage["micros"]) / 1e6 for stage in shown["stages"]}
        return {"whole": took, **stages}, shown["statistics"]

    def restore(self):
        before = self.events_after(0)[-1]["sequence"]
        begin = time.time()
        took, self.container = self.run("restore", self.last)
        return {"whole": took, **restore_stages(begin, begin + took, self.events_after(before))}

    def events_after(self, sequence):
        return [json.loads(line) for line in self.run("events", "--since", str(sequence), "--json")[1].splitlines()]

    def discard(self):
        self.run("rm", self.last)

    def forget_ended(self):
        live = self.run("ps", "--quiet")[1].split()
        ended = [one for one in self.run("ps", "--all", "--quiet")[1].split() if one not in live]
        if ended:
            self.run("forget", *ended)
