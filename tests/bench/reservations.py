"""How many calls about reservations crd answers in a second."""
import os
import subprocess

SECONDS = 5
CALLERS = (1, 4)
RESERVED = 200


def reservations(crd, build):
    print("\n## Reservations\n")
    crd.run("network", "create", "bench", "--bridge", "crdbench0", "--subnet", "10.99.0.0/16")
    program = os.path.join(build, "tests/bench/bench_reservations")
    for already in (0, RESERVED):
        for _ in range(already):
            crd.run("network", "reserve", "bench")
        print(f"{already} addresses are reserved:", flush=True)
        for callers in CALLERS:
            subprocess.run([program, os.path.join(crd.directory, "crd.sock"), "bench", "10.99.200.1", str(SECONDS), str(callers)], check=True)
