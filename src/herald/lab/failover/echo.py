"""The application of the failover lab: whatever datagram comes for an address is sent back with the name of the node.

    python -m herald.lab.failover.echo --name node-1 --port 7000 192.0.2.200 2001:db8:50::200

The sockets are bound to the addresses whether or not the node has them (IP_FREEBIND), so that answers always come from
there.
"""

import argparse
import select
import socket
import sys
from ipaddress import ip_address

IP_FREEBIND = 15
IPV6_FREEBIND = 78
LONGEST = 256


def opened(address: str, port: int) -> socket.socket:
    """A socket for one address."""
    is_v6 = ip_address(address).version == 6
    made = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(*((socket.IPPROTO_IPV6, IPV6_FREEBIND) if is_v6 else (socket.IPPROTO_IP, IP_FREEBIND)), 1)
    made.bind((address, port))
    return made


def main() -> int:
    """Entry point; runs until it is killed."""
    parser = argparse.ArgumentParser(prog="herald.lab.failover.echo", description="send datagrams back with a name")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("addresses", nargs="+")
    given = parser.parse_args()
    sockets = [opened(address, given.port) for address in given.addresses]
    name = f" {given.name}".encode()
    while True:
        for one in select.select(sockets, [], [])[0]:
            data, asker = one.recvfrom(LONGEST)
            try:
                one.sendto(data + name, asker)
            except OSError as error:
                print(f"no answer to {asker[0]}: {error}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
