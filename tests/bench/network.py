"""usage: network.py --build DIR [--criu PATH] [--only pause,endpoints]
What a tree in a network namespace of its own costs, and how long the peer of a TCP connection waits. See README.md.
"""
import argparse
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from contestants import Crd
from processes import Failed, become_subreaper, eventually, is_gone, spawn, wait_for

INSIDE = "CRD_BENCH_INSIDE"
CLONE_NEWNET = 0x40000000
PORT = 7000
ROUNDS = 5
SERVER = """
import socket
listener = socket.create_server(("10.77.0.5", 7000))
while True:
    peer = listener.accept()[0]
    while data := peer.recv(65536):
        peer.sendall(data)
"""


def ip(*words, netns=None):
    enter = ["nsenter", f"--net=/proc/{netns}/ns/net"] if netns else []
    subprocess.run([*enter, "ip", *words], check=True)


def plug(pid, outer, inner, address, mac=None):
    ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", str(pid))
    ip("link", "set", outer, "master", "br0", "up")
    # The same in every round: peers remember whose an address is.
    if mac:
        ip("link", "set", inner, "address", mac, netns=pid)
    ip("address", "add", address, "dev", inner, netns=pid)
    ip("link", "set", inner, "up", netns=pid)


def in_netns(pid, work):
    """The result of `work` on a thread in the network namespace of a process; sockets stay there."""
    results = []

    def run():
        with open(f"/proc/{pid}/ns/net") as netns:
            if ctypes.CDLL(None).setns(netns.fileno(), CLONE_NEWNET) == 0:
                results.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def start_in_netns(argv, output):
    pid = spawn(["/usr/bin/unshare", "--net", *argv], output, own_session=True)
    ours = os.readlink("/proc/self/ns/net")
    eventually(lambda: os.readlink(f"/proc/{pid}/ns/net") != ours, "a network namespace")
    ip("link", "set", "lo", "up", netns=pid)
    return pid


def connect():
    try:
        return socket.create_connection(("10.77.0.5", PORT), timeout=60)
    except ConnectionRefusedError:
        return None


class Talk:
    """Somebody who says something, and notes when the echo has come."""

    def __init__(self, connection):
        self.connection = connection
        connection.settimeout(None)  # one with a timeout does not wait for all
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.exchange()

    def exchange(self):
        self.say()
        self.hear()

    def say(self):
        self.connection.sendall(b"hello")

    def hear(self):
        heard = self.connection.recv(5, socket.MSG_WAITALL)
        if heard != b"hello":
            raise Failed(f"the connection is closed, or damaged: it said {heard}")
        return time.monotonic()


def measure_pause(crd, directory, mode, away, in_flight):
    """Seconds from the end of the restore until the peer hears: what it said while the tree was away, or in the
    instant before that."""
    output = os.path.join(directory, "server.out")
    pid = start_in_netns([sys.executable, "-S", "-c", "import time; time.sleep(0.5)\n" + SERVER], output)
    plug(pid, "vc0", "eth0", "10.77.0.5/24", "02:00:00:00:00:05")
    connection = None
    deadline = time.monotonic() + 20
    while connection is None and time.monotonic() < deadline:
        connection = in_netns(PEER[0], connect)
    talk = Talk(connection)
    for _ in range(20):
        talk.exchange()
    time.sleep(0.3)
    if in_flight:
        # The tree stands still, but its kernel does not: what is said while CRIU locks the network is in flight.
        said = threading.Thread(target=lambda: [time.sleep(0.002) or talk.say() for _ in range(200)])
        said.start()
    crd.last = crd.run("checkpoint", "--pid", str(pid), "--tcp-established", "--network-mode", mode)[1]
    if in_flight:
        said.join()
    else:
        talk.say()
    eventually(lambda: is_gone(pid), "the tree's end")
    time.sleep(away)
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(talk.hear() for _ in range(200 if in_flight else 1)))
    listener.start()
    crd.run("restore", crd.last, "--tcp-established")
    end = time.monotonic()
    listener.join()
    later = [moment for moment in heard if moment > end - away]
    restored = crd.run("ps", "--quiet")[1]
    crd.run("kill", "--signal", "KILL", restored)
    crd.run("wait", restored)
    crd.run("rm", crd.last)
    connection.close()
    eventually(lambda: subprocess.run(["ip", "link", "show", "vc0"], capture_output=True).returncode != 0, "vc0's end")
    return (later or heard)[-1] - end


PEER = []


def pause(crd, directory):
    PEER.append(start_in_netns(["/bin/sleep", "3600"], os.path.join(directory, "peer.out")))
    plug(PEER[0], "vp0", "eth0", "10.77.0.9/24")
    print(f"from the end of the restore until the peer of a connection hears (median and worst of {ROUNDS}, ms)")
    for name, in_flight in (("said while away", False), ("in flight when it was frozen", True)):
        for mode in ("hold", "release"):
            for away in (0.0, 0.3, 1.0, 3.0):
                measured = sorted(measure_pause(crd, directory, mode, away, in_flight) * 1000 for _ in range(ROUNDS))
                print(f"  {mode:7} {name:30} away {away:3.1f} s: {measured[ROUNDS // 2]:8.1f} {measured[-1]:8.1f}",
                      flush=True)
    os.kill(PEER[0], signal.SIGKILL)
    wait_for(PEER[0])


def endpoints(crd, directory):
    print("restore of one process, its network namespace built again (median of 5, ms);"
          " each pair has two addresses")
    for count in (0, 1, 50, 100, 200):
        measured = []
        for _ in range(5):
            output = os.path.join(directory, "many.out")
            if count:
                pid = start_in_netns(["/bin/sleep", "3600"], output)
            else:
                pid = spawn(["/bin/sleep", "3600"], output, own_session=True)
            for i in range(count):
                plug(pid, f"v{i}", f"eth{i}", f"10.77.{1 + i // 200}.{1 + i % 200}/16")
                ip("address", "add", f"fd77::{1 + i:x}/64", "dev", f"eth{i}", "nodad", netns=pid)
            crd.last = crd.run("checkpoint", "--pid", str(pid), "--network-mode", "release")[1]
            eventually(lambda: is_gone(pid), "the tree's end")
            eventually(lambda: "veth" not in subprocess.run(["ip", "-d", "link"], capture_output=True, text=True).stdout, "the end of the links")
            measured.append(crd.restore()["whole"] * 1000)
            crd.run("kill", "--signal", "KILL", crd.container)
            crd.run("wait", crd.container)
            crd.discard()
        print(f"  {count:3} veth pairs: {sorted(measured)[2]:8.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True, type=os.path.abspath)
    parser.add_argument("--criu")
    parser.add_argument("--only", type=lambda text: text.split(","), default=("pause", "endpoints"))
    arguments = parser.parse_args()
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                              "ip link set lo up; exec \"$@\"", "sh", sys.executable, *sys.argv])
    setup = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/setup")
    criu = arguments.criu or subprocess.run([setup, "--criu-path"], stdout=subprocess.PIPE, text=True,
                                            check=True).stdout.strip()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("network.py: ended"))
    become_subreaper()
    directory = tempfile.mkdtemp(prefix="crd-bench.", dir="/var/tmp")
    crd = Crd(arguments.build, criu, directory)
    try:
        ip("link", "add", "br0", "type", "bridge")
        ip("address", "add", "10.77.0.1/16", "dev", "br0")
        ip("link", "set", "br0", "up")
        crd.start()
        for part in (pause, endpoints):
            if part.__name__ in arguments.only:
                part(crd, directory)
    finally:
        if crd.pid is not None:
            crd.end_everything()
        shutil.rmtree(directory, ignore_errors=True)


main()
