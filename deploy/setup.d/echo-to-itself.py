"""usage: echo-to-itself.py FILE
Holds both ends of one TCP connection, sends a counter through it for ever, and writes to FILE what came back."""
import os
import socket
import sys
import time


def receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            sys.exit("the connection was closed")
        data += more
    return data


def write_whole(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


# What the caller's shell left open (a pipe, a file of another mount namespace) could make the dump fail.
os.closerange(3, os.sysconf("SC_OPEN_MAX"))

try:
    os.setsid()
except PermissionError:
    pass  # already the leader of a session, which is all that is wanted

with socket.create_server(("127.0.0.1", 0)) as server:
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()

# So that a connection which lost its peer ends the program instead of leaving it silent.
near.settimeout(30)
far.settimeout(30)

counter = 0
while True:
    counter += 1
    message = b"%8d" % counter
    near.sendall(message)
    far.sendall(receive(far, len(message)))
    if receive(near, len(message)) != message:
        sys.exit("the connection answered something else")
    write_whole(sys.argv[1], str(counter))
    time.sleep(0.02)
