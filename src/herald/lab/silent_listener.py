"""Accepts every TCP connection and never says a word, like a router that hangs.

python -m herald.lab.silent_listener 179
"""

import socket
import sys


def main() -> int:
    """Entry point of `python -m herald.lab.silent_listener`."""
    with socket.create_server(("", int(sys.argv[1]))) as listening:
        kept = []
        while True:
            kept.append(listening.accept())


if __name__ == "__main__":
    sys.exit(main())
