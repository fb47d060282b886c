"""Checkpoint and restore of a container, by everybody who can, taking turns."""
import os
import sys

from oci_contestants import all_contestants
from pairs import milliseconds, ratio

WARM_UP = 1
LINES = (("checkpoint, container ends", "ending whole"), ("checkpoint, container runs on", "running whole"),
         ("restore", "restore whole"), ("standstill, container ends", "ending standstill"),
         ("standstill, container runs on", "running standstill"))


def one_turn(contestant):
    contestant.prepare()
    contestant.start()
    try:
        result = {}
        for kind in ("running", "ending"):
            os.sync()
            result[kind] = contestant.checkpoint(leave_running=kind == "running")
            if kind == "running":
                contestant.discard()
        os.sync()
        result["restore"] = contestant.restore()
        contestant.check_runs()
    finally:
        contestant.end()
    contestant.discard()
    return {f"{kind} {name}": value for kind, values in result.items() for name, value in values.items()}


def compare(crd, criu, directory, kernel_cache, rounds):
    contestants = all_contestants(crd, criu, directory, kernel_cache)
    turns = {contestant.name: [] for contestant in contestants}
    try:
        for number in range(WARM_UP + rounds):
            first = number % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                turn = one_turn(contestant)
                if number >= WARM_UP:
                    turns[contestant.name].append(turn)
            print(f"\rcontainer: round {number + 1} of {WARM_UP + rounds}", end="", file=sys.stderr, flush=True)
    finally:
        for contestant in contestants:
            contestant.close()
    print(file=sys.stderr)
    tell(rounds, contestants, turns)


def tell(rounds, contestants, turns):
    def series(contestant, name):
        return [turn[name] for turn in turns[contestant.name]]

    crd, others = contestants[-1], contestants[:-1]
    print(f"\n## a container of one shell: {rounds} rounds; median and quartiles, in ms; ratios of crd to each\n")
    print("|", " | ".join(["", *[one.name for one in contestants], *["crd / " + one.name for one in others]]), "|")
    print("|---" * (len(contestants) + len(others) + 1) + "|")
    for label, name in LINES:
        cells = [milliseconds(series(one, name)) for one in contestants]
        cells += [ratio(series(crd, name), series(one, name)) for one in others]
        print("|", " | ".join([label, *cells]), "|")
    for what, prefix in (("a checkpoint after which the container ends", "ending stage "),
                         ("one after which it runs on", "running stage "), ("a restore", "restore stage ")):
        print(f"\ncrd's stages of {what}, in ms:")
        for name in turns[crd.name][0]:
            if name.startswith(prefix):
                print(f"  {name[len(prefix):]:18}{milliseconds(series(crd, name))}")
