"""What crd costs by itself: while nothing happens, when something ends, and with many records."""
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from processes import Failed, Workload, eventually, read, spawn, wait_for

IDLE_SECONDS = 20
EXITS = 40
CHECKPOINTS = 10_000
LOOKS = 200


def percentiles(seconds):
    ordered = sorted(seconds)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3
    return f"p50 {at(0.50):.2f} ms, p99 {at(0.99):.2f} ms ({len(ordered)} times)"


# --- while nothing happens ---


def resident_mebibytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{pid}/status")).group(1)) / 1024


def switches(pid):
    """Of each thread: how often it has been put on a processor."""
    return {
        path.split("/")[4]: sum(int(number) for number in re.findall(r"ctxt_switches:\s+(\d+)", read(path)))
        for path in glob.glob(f"/proc/{pid}/task/*/status")
    }


def watch_idle(crd, what):
    time.sleep(2)
    before = switches(crd.pid)
    time.sleep(IDLE_SECONDS)
    after = switches(crd.pid)
    woken = {read(f"/proc/{crd.pid}/task/{thread}/comm").strip() + "/" + thread: count - before.get(thread, 0)
             for thread, count in after.items() if count != before.get(thread, 0)}
    print(f"{what}: {resident_mebibytes(crd.pid):.1f} MB resident, {len(after)} threads, "
          f"{sum(woken.values())} wake-ups in {IDLE_SECONDS} s {woken or ''}")


def idle(crd):
    print("\n## Idle\n")
    watch_idle(crd, "no connection")
    follower = spawn([crd.crctl, "events", "--follow"], "/dev/null")
    try:
        watch_idle(crd, "with a client that follows events")
    finally:
        os.kill(follower, signal.SIGTERM)
        wait_for(follower)
    watch_idle(crd, "after that client has gone")


# --- from an exit to its record ---


class Follower:
    """Notes when word of an exit arrives at a client that follows events."""

    def __init__(self, crd):
        self.seen = {}
        self.client = subprocess.Popen([crd.crctl, "events", "--follow", "--json"], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.client.stdout:
            event = json.loads(line)
            if event["subject"] == "container" and event["change"] == "exited":
                self.seen[event["id"]] = (time.time(), int(event["time_us"]) / 1e6)

    def close(self):
        self.client.kill()
        wait_for(self.client.pid)


def exits(crd, workload_arguments):
    crd.prepare()
    workload = Workload(*workload_arguments)
    crd.checkpoint(workload.pid, leave_running=False)
    workload.await_gone()
    follower = Follower(crd)
    noticed, recorded, told = [], [], []
    for _ in range(EXITS):
        crd.restore()
        time.sleep(0.05)
        killed = time.time()
        os.kill(workload.pid, signal.SIGKILL)
        eventually(lambda: crd.container in follower.seen, "word of the exit")
        arrived, stamped = follower.seen[crd.container]
        noticed.append(int(crd.show(crd.container)["ended_us"]) / 1e6 - killed)
        recorded.append(stamped - killed)
        told.append(arrived - killed)
    follower.close()
    crd.discard()
    crd.forget_ended()
    print("\n## From a tree's exit (the moment before kill) to its status\n")
    print(f"the time that is recorded (ended_us): {percentiles(noticed)}")
    print(f"the time of the event:                {percentiles(recorded)}")
    print(f"a client that follows events has it:  {percentiles(told)}")


# --- many records ---


def multiply(crd, checkpoint_id):
    """Copies one checkpoint, its container and its operation, rows and directory, until there are enough."""
    state = os.path.join(crd.directory, "state")
    original = os.path.join(state, "checkpoints", checkpoint_id)
    database = sqlite3.connect(os.path.join(state, "crd.db"))
    database.row_factory = sqlite3.Row
    row = lambda table, column, key: dict(database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (key,)).fetchone())
    checkpoint = row("checkpoints", "id", checkpoint_id)
    container = row("containers", "id", checkpoint["container_id"])
    operation = row("operations", "checkpoint_id", checkpoint_id)

    def insert(table, values):
        marks = ", ".join("?" * len(values))
        database.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

    for number in range(1, CHECKPOINTS):
        ids = [f"{kind}{number:015x}" for kind in "abc"]
        older = {"created_us": checkpoint["created_us"] - number * 1_000_000}
        insert("checkpoints", {**checkpoint, **older, "id": ids[0], "container_id": ids[1]})
        insert("containers", {**container, **older, "id": ids[1], "last_checkpoint_id": ids[0]})
        insert("operations", {**operation, **older, "id": ids[2], "request_id": "", "checkpoint_id": ids[0],
                              "container_id": ids[1]})
        os.makedirs(os.path.join(state, "checkpoints", ids[0], "images"), mode=0o700)
        os.link(os.path.join(original, "manifest.json"), os.path.join(state, "checkpoints", ids[0], "manifest.json"))
    database.commit()
    database.close()
    return [f"a{number:015x}" for number in range(1, CHECKPOINTS)]


def served(crd, call):
    """crd's own times for a call, from its log."""
    lines = read(crd.log).splitlines()
    return [int(re.search(r" us=(\d+)", line).group(1)) / 1e6 for line in lines if f"call={call} " in line]


def inventory(crd, workload_arguments):
    crd.prepare()
    workload = Workload(*workload_arguments)
    crd.checkpoint(workload.pid, leave_running=False)
    workload.await_gone()
    crd.stop()
    ids = multiply(crd, crd.last)
    started = crd.start("debug")  # tells of calls that only read, too
    crd.run("list")
    if len(crd.run("list", "--quiet")[1].splitlines()) != CHECKPOINTS:
        raise Failed("crd does not list all of them")
    print(f"\n## {CHECKPOINTS:,} checkpoints\n")
    print(f"crd starts and answers within {started * 1e3:.0f} ms, {resident_mebibytes(crd.pid):.1f} MB resident after a list")
    steps = [ids[position * 7919 % len(ids)] for position in range(LOOKS)]
    for what, arguments in (("crctl version (no call)", [["version"]] * LOOKS), ("crctl list", [["list"]] * LOOKS),
                            ("crctl list --json", [["list", "--json"]] * LOOKS), ("crctl show ID", [["show", one] for one in steps])):
        print(f"{what + ':':26}{percentiles([crd.run(*one)[0] for one in arguments])}")
    for call in ("ListService.ListCheckpoints", "ListService.GetCheckpoint"):
        times = served(crd, call)
        if times:
            print(f"{'in crd, ' + call + ':':45}{percentiles(times)}")
    crd.stop()
    shutil.rmtree(os.path.join(crd.directory, "state"))
    crd.start()
