"""Starting, timing and reaping processes, as the adopter of everything that loses its parent."""
import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 60.0


class Failed(Exception):
    """Something did not do what is being measured; the figures would mean nothing."""


def become_subreaper():
    # Whatever the caller's shell left open must not get into what is dumped.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def spawn(argv, output, own_session=False):
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsid=own_session)


def wait_for(pid):
    """The exit status of a child. Reaps whatever else ends meanwhile, so that dumped pids are free at once."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def read(path):
    with open(path) as file:
        return file.read()


def timed(argv, output):
    """Runs a command to its end. How long it took, in seconds."""
    begin = time.perf_counter()
    status = wait_for(spawn(argv, output))
    took = time.perf_counter() - begin
    if status != 0:
        raise Failed(f"{' '.join(argv)}: exit status {status}: {read(output).strip()[-2000:]}")
    return took


def eventually(condition, what, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {patience:g} s")
        time.sleep(0.001)


def reap_ended():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def is_gone(pid):
    reap_ended()
    return not os.path.exists(f"/proc/{pid}")


def descendants(pid):
    children = [int(child) for child in read(f"/proc/{pid}/task/{pid}/children").split()]
    return [pid] + [one for child in children for one in descendants(child)]


class Workload:
    """A quiet tree; ours, or whoever's has restored it."""

    def __init__(self, program, directory, mebibytes, processes):
        ready = os.path.join(directory, "ready")
        if os.path.exists(ready):
            os.unlink(ready)
        self.pid = spawn([program, str(mebibytes), str(processes), ready], "/dev/null", own_session=True)
        eventually(lambda: os.path.exists(ready), "the workload's start")
        self.pids = descendants(self.pid)

    def await_gone(self):
        for pid in self.pids:
            eventually(lambda: is_gone(pid), f"the end of {pid}")

    def check_runs(self):
        if sorted(descendants(self.pid)) != sorted(self.pids):
            raise Failed(f"restored as {descendants(self.pid)} instead of {self.pids}")

    def kill(self):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.await_gone()
