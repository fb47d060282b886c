"""A program to checkpoint: three processes, several threads each, two of them talking over TCP on loopback.

usage: tree.py run DIR             runs until SIGTERM, then exits with status 7; every process keeps DIR/<role>.json up to date
       tree.py status DIR          prints what the processes wrote, as one JSON object
       tree.py check DIR BEFORE    compares with an earlier status in the file BEFORE: did everything go on, unharmed?
       tree.py stop DIR            kills the processes and waits until their pids are free

No process ever connects a second time: a lost connection ends the tree, so one that goes on has kept its connection.
"""
import hashlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time

ROLES = ("root", "server", "client")
DATA_BYTES = 8 << 20
THREADS = 2
PATIENCE = 15.0
STATUS_WHEN_ASKED = 7


class Status:
    """What one process says about itself, written as a whole so that a reader never sees half of it."""

    def __init__(self, directory, role):
        self.path = os.path.join(directory, role + ".json")
        self.lock = threading.Lock()
        self.values = {"role": role, "pid": os.getpid(), "counters": {}}

    def set(self, name, value):
        with self.lock:
            self.values[name] = value

    def count(self, name):
        with self.lock:
            counters = self.values["counters"]
            counters[name] = counters.get(name, 0) + 1

    def write(self):
        with self.lock:
            text = json.dumps(self.values)
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)


def count_for_ever(status, name):
    while True:
        status.count(name)
        time.sleep(0.01)


def digest_for_ever(status, data):
    while True:
        status.set("digest", hashlib.sha256(data).hexdigest())
        status.count("digests")
        time.sleep(0.5)


def start_threads(status, role):
    data = random.Random(role).randbytes(DATA_BYTES)
    status.set("bytes", len(data))
    threading.Thread(target=digest_for_ever, args=(status, data), daemon=True).start()
    for number in range(THREADS):
        threading.Thread(target=count_for_ever, args=(status, f"thread{number}"), daemon=True).start()


def receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            sys.exit("the connection was closed")
        data += more
    return data


def name_of(connection):
    return "{}:{}-{}:{}".format(*connection.getsockname(), *connection.getpeername())


def serve(connection, status):
    """Answers each number with its double."""
    while True:
        number = int(receive(connection, 12))
        connection.sendall(b"%12d" % (2 * number))
        status.count("messages")
        status.write()


def ask(connection, status):
    number = 0
    while True:
        number += 1
        connection.sendall(b"%12d" % number)
        if int(receive(connection, 12)) != 2 * number:
            sys.exit("the connection answered something else")
        status.count("messages")
        status.write()
        time.sleep(0.02)


def child(directory, role, connection, talk):
    parent = os.getppid()
    status = Status(directory, role)
    status.set("connection", name_of(connection))
    start_threads(status, role)

    def end_with_parent():
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    talk(connection, status)


def fork_child(directory, role, connection, other, talk):
    pid = os.fork()
    if pid == 0:
        other.close()
        try:
            child(directory, role, connection, talk)
        finally:
            os._exit(1)
    return pid


def end_when_asked(children):
    """The whole tree, and with a status that is easy to recognise."""

    def end(number, frame):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os._exit(STATUS_WHEN_ASKED)

    signal.signal(signal.SIGTERM, end)


def run(directory):
    # What the caller's shell left open (a pipe, a file of another mount namespace) could make a checkpoint fail.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    children = [
        fork_child(directory, "server", far, near, serve),
        fork_child(directory, "client", near, far, ask),
    ]
    near.close()
    far.close()
    end_when_asked(children)
    status = Status(directory, "root")
    start_threads(status, "root")
    while all(os.waitpid(pid, os.WNOHANG) == (0, 0) for pid in children):
        status.write()
        time.sleep(0.05)
    sys.exit("a process of the tree ended")


def read_status(directory):
    """None while a process has not written yet."""
    result = {}
    for role in ROLES:
        try:
            with open(os.path.join(directory, role + ".json")) as file:
                result[role] = json.load(file)
        except FileNotFoundError:
            return None
        if "digest" not in result[role]:
            return None
    return result


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def status(directory):
    if not wait_for(lambda: read_status(directory)):
        sys.exit(f"tree: no status in {directory} after {PATIENCE:g} s; is the tree running? Its output may say why it is not.")
    return read_status(directory)


def standing_still(before, now):
    """The counters that are no further than before."""
    return [
        f"{role}.{name} ({value})"
        for role in ROLES
        for name, value in before[role]["counters"].items()
        if now[role]["counters"][name] <= value
    ]


def check(directory, before):
    if not wait_for(lambda: not standing_still(before, status(directory))):
        sys.exit("tree: does not go on: " + ", ".join(standing_still(before, status(directory))))
    now = status(directory)
    for role in ROLES:
        for name in ("pid", "digest", "bytes", "connection"):
            old, new = before[role].get(name), now[role].get(name)
            if old != new:
                sys.exit(f"tree: {name} of the {role} was {old} and is {new}")
    memory = sum(now[role]["bytes"] for role in ROLES) >> 20
    threads = sum(len(now[role]["counters"]) for role in ROLES)
    client = now["client"]
    print(f"{len(ROLES)} processes go on under their pids ({', '.join(str(now[role]['pid']) for role in ROLES)}), {threads} counters too")
    print(f"{memory} MiB of memory are unchanged")
    print(f"connection {client['connection']} went on from message {before['client']['counters']['messages']} to {client['counters']['messages']}")


def is_alive(pid, directory):
    """By the command line as well: the pid may be somebody else's by now."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return line == b"" or os.fsencode(directory) in line


def stop(directory):
    now = read_status(directory)
    if now is None:
        return
    pids = [now[role]["pid"] for role in ROLES]
    for pid in pids:
        if is_alive(pid, directory):
            os.kill(pid, signal.SIGKILL)
    if not wait_for(lambda: not any(is_alive(pid, directory) for pid in pids)):
        sys.exit(f"tree: pids {pids} were killed, but are not free after {PATIENCE:g} s: their parent does not reap them")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "run":
        run(arguments[1])
    elif len(arguments) == 2 and arguments[0] == "status":
        print(json.dumps(status(arguments[1])))
    elif len(arguments) == 3 and arguments[0] == "check":
        with open(arguments[2]) as file:
            check(arguments[1], json.load(file))
    elif len(arguments) == 2 and arguments[0] == "stop":
        stop(arguments[1])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
