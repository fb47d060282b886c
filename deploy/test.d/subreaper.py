"""usage: subreaper.py [--at-once] COMMAND...
Runs COMMAND as the adopter of every orphan that comes of it, with the adopter's pid in CRD_SUBREAPER, and exits as it does.

Orphans that outlive COMMAND stay below this process, so deploy/leftovers can tell them from everything else on the host.
Those that have ended are reaped every two seconds, with --at-once every few milliseconds.
"""
import ctypes
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
# As slow as the slowest inits: what passes here does not depend on somebody else reaping at once.
REAP_EVERY, LOOK_EVERY = 2.0, 0.05

arguments = sys.argv[1:]
if arguments[:1] == ["--at-once"]:
    arguments = arguments[1:]
    REAP_EVERY = LOOK_EVERY = 0.005

if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
    sys.exit("subreaper: prctl(PR_SET_CHILD_SUBREAPER): " + os.strerror(ctypes.get_errno()))

os.environ["CRD_SUBREAPER"] = str(os.getpid())
command = os.posix_spawnp(arguments[0], arguments, os.environ)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda received, frame: os.kill(command, received))


def reap_orphans():
    while True:
        # WNOWAIT first: COMMAND's own status must stay for the wait below.
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None or ended.si_pid == command:
            return
        os.waitpid(ended.si_pid, 0)


next_reap = time.monotonic() + REAP_EVERY
while True:
    pid, status = os.waitpid(command, os.WNOHANG)
    if pid == command:
        code = os.waitstatus_to_exitcode(status)
        sys.exit(code if code >= 0 else 128 - code)
    if time.monotonic() >= next_reap:
        reap_orphans()
        next_reap = time.monotonic() + REAP_EVERY
    time.sleep(LOOK_EVERY)
