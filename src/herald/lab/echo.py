"""An application over UDP: whoever asks is answered with the question and the name of the node.

    python -m herald.lab.echo --name node-1 --port 7000

Its socket has room for seconds of questions, so that none is lost while others have the processor; those that are lost
there all the same are in the kernel's count (`RcvbufErrors` in /proc/net/snmp).
"""

import argparse
import socket
import sys

ROOM_OCTETS = 8 * 1024 * 1024
LONGEST_QUESTION_OCTETS = 512


def bound(port: int, host: str = "0.0.0.0") -> socket.socket:
    """The socket, with all the room the kernel gives."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # More than net.core.rmem_max, which is root's to say.
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        listening.setsockopt(socket.SOL_SOCKET, force, ROOM_OCTETS)
    except PermissionError:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_OCTETS)
    listening.bind((host, port))
    return listening


def answer_one(listening: socket.socket, name: bytes) -> None:
    """Wait for one question and answer it. An answer that finds no way is lost, as a node's would be."""
    question, sender = listening.recvfrom(LONGEST_QUESTION_OCTETS)
    try:
        listening.sendto(question + b" " + name, sender)
    except OSError as error:
        print(f"no way to {sender[0]}: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Entry point of `python -m herald.lab.echo`."""
    parser = argparse.ArgumentParser(prog="herald.lab.echo", description="answer over UDP with a name")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    name = options.name.encode()
    with bound(options.port) as listening:
        while True:
            answer_one(listening, name)


if __name__ == "__main__":
    sys.exit(main())
