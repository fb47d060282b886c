"""Checkpoint and restore of a container, by everybody who can, taking turns."""
import os

from oci_contestants import all_contestants
from turns import checkpoints, in_turns, tell

WARM_UP = 1
LINES = (("checkpoint, container ends", "ending whole"), ("checkpoint, container runs on", "running whole"),
         ("restore", "restore whole"), ("standstill, container ends", "ending standstill"),
         ("standstill, container runs on", "running standstill"))
STAGES = (("a checkpoint after which the container ends", "ending stage "), ("one after which it runs on", "running stage "),
          ("a restore", "restore stage "))


def one_turn(contestant):
    contestant.prepare()
    contestant.start()
    try:
        result = checkpoints(contestant.checkpoint, contestant.discard)
        os.sync()
        result["restore"] = contestant.restore()
        contestant.check_runs()
    finally:
        contestant.end()
    contestant.discard()
    return result


def compare(crd, criu, directory, kernel_cache, rounds):
    contestants = all_contestants(crd, criu, directory, kernel_cache)
    try:
        turns = in_turns("container", contestants, WARM_UP, rounds, one_turn)
    finally:
        for contestant in contestants:
            contestant.close()
    tell(f"a container of one shell: {rounds} rounds; median and quartiles, in ms; ratios of crd to each", LINES,
         contestants[:-1], contestants[-1], turns, STAGES)
