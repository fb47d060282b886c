"""A client of redis's on one connection, which it never makes again: `client.py ADDRESS PORT FILE`.

Writes to FILE how far a counter in redis has come by its hand, or why it gave up.
"""
import os
import socket
import sys
import time


def report(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.rename(path + ".new", path)


def count(lines, connection, path):
    expected = 0
    while True:
        expected += 1
        connection.sendall(b"INCR visits\r\n")
        answer = lines.readline().decode().strip()
        if answer != f":{expected}":
            raise RuntimeError(f"redis said '{answer}' where :{expected} was due")
        report(path, str(expected))
        time.sleep(0.02)


def main(address, port, path):
    try:
        with socket.create_connection((address, int(port)), timeout=10) as connection:
            connection.settimeout(None)  # it may have to wait for as long as redis is away
            with connection.makefile("rb") as lines:
                count(lines, connection, path)
    except (OSError, RuntimeError) as error:
        report(path, f"lost: {error}")
        sys.exit(1)


main(*sys.argv[1:])
