"""CRIU against crd, taking turns on equal workloads."""
import os

from processes import Workload
from turns import checkpoints, in_turns, tell

WARM_UP = 2
LINES = (("checkpoint, tree ends", "ending whole"), ("checkpoint, tree runs on", "running whole"), ("restore", "restore whole"),
         ("frozen, tree ends", "ending frozen"), ("frozen, tree runs on", "running frozen"))
STAGES = (("a checkpoint after which the tree ends", "ending stage "), ("a restore", "restore stage "))


def one_turn(contestant, workload_arguments):
    """A fresh workload is dumped while it runs on, dumped for good, restored, and ended."""
    contestant.prepare()
    workload = Workload(*workload_arguments)
    try:
        result = checkpoints(lambda leave_running: contestant.checkpoint(workload.pid, leave_running), contestant.discard)
        workload.await_gone()
        os.sync()
        result["restore"] = contestant.restore()
        workload.check_runs()
    finally:
        workload.kill()
    contestant.discard()
    return result


def compare(title, bare, crd, workload_arguments, rounds):
    turns = in_turns(title, [*bare, crd], WARM_UP, rounds, lambda contestant: one_turn(contestant, workload_arguments),
                     crd.forget_ended)
    tell(f"{title}: {rounds} rounds; median and quartiles, in ms", LINES, bare, crd, turns, STAGES)
