"""usage: bench.py --build DIR [--criu PATH] [--dir DIR] [--rounds N] [--only PART,...]
See README.md. Parts: small, big, tree, oci, exit, idle, inventory, reservations.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import daemon_cost
import oci
import pairs
import reservations
from contestants import KERNEL_CACHE, Bare, Crd
from processes import Failed, become_subreaper

PARTS = ("small", "big", "tree", "oci", "exit", "idle", "inventory", "reservations")
INSIDE = "CRD_BENCH_INSIDE"


def enter_namespaces():
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def take_private_run(directory):
    """A /run of our own, so that CRIU's kernel cache can come and go without anybody else's noticing. Not a tmpfs:
    on one CRIU would write the cache again at once."""
    run = os.path.join(directory, "private-run")
    os.mkdir(run)
    subprocess.run(["mount", "--bind", run, "/run"], check=True)


def describe_host(criu):
    version = subprocess.run([criu, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    print(f"kernel {os.uname().release}, CRIU {version}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}")
    if os.getloadavg()[0] > 1:
        print("NOTE: the machine is not idle; compare ratios, and distrust even those")


def require_programs(build):
    for program in ("daemon/crd", "client/crctl", "tests/bench/bench_workload"):
        if not os.path.exists(os.path.join(build, program)):
            sys.exit(f"bench: {build}/{program} is missing; build everything: cmake --build {build}")


def measure(arguments, directory):
    crd = Crd(arguments.build, arguments.criu, directory)
    crd.start()
    try:
        with open(KERNEL_CACHE, "rb") as file:
            kernel_cache = file.read()
        shutil.copy2(KERNEL_CACHE, os.path.join(directory, "kdat"))
        bare = [Bare(arguments.criu, directory, b""), Bare(arguments.criu, directory, kernel_cache)]
        workload = os.path.join(arguments.build, "tests/bench/bench_workload")
        kinds = {"small": ("a process of 2 MB", 1, 1, 21), "big": ("a process of 256 MB", 256, 1, 15),
                 "tree": ("a tree of 50 processes", 0, 50, 15)}
        # First, while it is fresh.
        if "idle" in arguments.only:
            daemon_cost.idle(crd)
        for part, (title, mebibytes, processes, rounds) in kinds.items():
            if part in arguments.only:
                pairs.compare(title, bare, crd, (workload, directory, mebibytes, processes), arguments.rounds or rounds)
        if "oci" in arguments.only:
            oci.compare(crd, arguments.criu, directory, kernel_cache, arguments.rounds or 11)
        if "exit" in arguments.only:
            daemon_cost.exits(crd, (workload, directory, 1, 1))
        if "inventory" in arguments.only:
            daemon_cost.inventory(crd, (workload, directory, 1, 1))
        if "reservations" in arguments.only:
            reservations.reservations(crd, arguments.build)
    finally:
        if crd.pid is not None:
            crd.end_everything()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True, type=os.path.abspath)
    parser.add_argument("--criu")
    parser.add_argument("--dir", default="/var/tmp")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS)
    arguments = parser.parse_args()
    require_programs(arguments.build)
    setup = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/setup")
    arguments.criu = arguments.criu or subprocess.run([setup, "--criu-path"], stdout=subprocess.PIPE, text=True,
                                                      check=True).stdout.strip()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, frame: sys.exit(f"bench: ended by signal {received}"))
    become_subreaper()
    enter_namespaces()
    directory = tempfile.mkdtemp(prefix="crd-bench.", dir=arguments.dir)
    try:
        take_private_run(directory)
        # CRIU asks the kernel what it can do over the loopback.
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        describe_host(arguments.criu)
        measure(arguments, directory)
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    finally:
        subprocess.run(["umount", "/run"], check=False)
        shutil.rmtree(directory, ignore_errors=True)


main()
