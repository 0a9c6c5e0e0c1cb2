"""What the outside sees of a Service, and when: its status in the API, its route at the router, an answer to ARP.

Each ear stamps with the machine's monotonic clock the moment at which something arrives. They are threads, since each
waits for the kernel and for nothing else.
"""

import contextlib
import http.client
import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from herald.lab import process
from herald.lab.kubernetes.client import Client, in_namespace

SERVICES = "/api/v1/namespaces/default/services"
LONG_S = 3_600.0
SWITCH_S = 0.0002
"""Threads of this process wait for each other at most this long."""

ETH_P_ARP = 0x0806
ASK_EVERY_S = 0.002
ROUTE_GROUP = 0x40  # RTMGRP_IPV4_ROUTE
RECEIVE_QUEUE_OCTETS = 16 * 1024 * 1024
SO_RCVBUFFORCE = 33
RTM_NEWROUTE, RTM_DELROUTE, RTA_DST = 24, 25, 1


class DeafError(Exception):
    """What was waited for did not come."""


class Ear:
    """Names of things that are there, and since when."""

    def __init__(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._present: dict[str, tuple[float, str]] = {}
        self._news = threading.Condition()
        self._closed = False

    @property
    def count(self) -> int:
        """How many things are there."""
        return len(self._present)

    def appeared(self, name: str, text: str = "") -> None:
        """It is there now; if it was there already, nothing is new."""
        now = time.monotonic()
        with self._news:
            if name not in self._present:
                self._present[name] = (now, text)
                self._news.notify_all()

    def vanished(self, name: str) -> None:
        """It is there no longer."""
        with self._news:
            if self._present.pop(name, None) is not None:
                self._news.notify_all()

    def wait(self, name: str, within: float = 20.0) -> tuple[float, str]:
        """Since when it is there, and its text."""
        self._wait(lambda: name in self._present, name, within)
        return self._present[name]

    def wait_gone(self, name: str, within: float = 20.0) -> None:
        """Wait until it is not there."""
        self._wait(lambda: name not in self._present, f"the end of {name}", within)

    def wait_count(self, count: int, within: float) -> float:
        """Wait until so many are there; since when."""
        self._wait(lambda: len(self._present) >= count, f"{count}", within)
        return max(since for since, _ in self._present.values())

    def wait_at_most(self, count: int, within: float) -> None:
        """Wait until no more than so many are there."""
        self._wait(lambda: len(self._present) <= count, f"at most {count}", within)

    def reached(self, count: int, within: float) -> tuple[int, float]:
        """Wait until so many are there or the time is up: how many are, and when the last came or that was."""
        with self._news:
            if self._news.wait_for(lambda: len(self._present) >= count, within):
                return len(self._present), max(since for since, _ in self._present.values())
            return len(self._present), time.monotonic()

    def _wait(self, condition: Callable[[], bool], what: str, within: float) -> None:
        with self._news:
            if not self._news.wait_for(condition, within):
                raise DeafError(f"{type(self).__name__} waited {within:.0f} s for {what}; {self.count} are there")


class StatusEar(Ear):
    """Services with an address in their status, by name; the text is the address.

    The API server ends a watch whose reader is slow; this one goes on from the last object it saw.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        with client.connection() as connection:
            self._version = _get(connection, f"{SERVICES}?limit=1")["metadata"]["resourceVersion"]
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        if (open_now := self._connection) is not None:
            open_now.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _listen(self) -> None:
        while not self._closed:
            try:
                with self._client.connection(LONG_S) as self._connection:
                    self._watch(self._connection)
            except (OSError, http.client.HTTPException):
                if not self._closed:
                    raise

    def _watch(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", f"{SERVICES}?watch=1&resourceVersion={self._version}")
        answer = connection.getresponse()
        while line := answer.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise DeafError(f"the watch on Services: {event['object'].get('message')}")
            self._heard(event["object"], is_deleted=event["type"] == "DELETED")

    def _heard(self, service: Mapping[str, Any], *, is_deleted: bool) -> None:
        self._version = service["metadata"]["resourceVersion"]
        ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        if is_deleted or not ingress:
            self.vanished(service["metadata"]["name"])
        else:
            self.appeared(service["metadata"]["name"], ingress[0]["ip"])


class RouteEar(Ear):
    """Routes to single hosts in a namespace's kernel, by address: what the router forwards by."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self._socket = in_namespace(namespace, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_QUEUE_OCTETS)
        self._socket.bind((0, ROUTE_GROUP))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                for kind, address in host_routes(self._socket.recv(65_536)):
                    (self.appeared if kind == RTM_NEWROUTE else self.vanished)(address)


def host_routes(datagram: bytes) -> Iterator[tuple[int, str]]:
    """RTM_NEWROUTE or RTM_DELROUTE, and the address: of all routes to an IPv4 /32 (rtnetlink(7))."""
    while len(datagram) >= 28:
        length, kind = struct.unpack_from("=IH", datagram)
        message, datagram = datagram[16:length], datagram[(length + 3) & ~3 :]
        if kind in (RTM_NEWROUTE, RTM_DELROUTE) and message[1] == 32:
            attributes = message[12:]
            while len(attributes) >= 4:
                size, name = struct.unpack_from("=HH", attributes)
                if name == RTA_DST:
                    yield kind, str(IPv4Address(attributes[4:8]))
                attributes = attributes[(size + 3) & ~3 :]


class Asker:
    """A client that asks by ARP for an address until it is answered."""

    def __init__(self, namespace: str, interface: str, mac: str) -> None:
        def make() -> socket.socket:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
            opened.bind((interface, ETH_P_ARP))
            return opened

        self._socket = in_namespace(namespace, make)
        self._mac = bytes.fromhex(mac.replace(":", ""))

    @classmethod
    async def on(cls, namespace: str, interface: str) -> "Asker":
        """In a namespace, with the address of its interface."""
        shown = await process.must(["cat", f"/sys/class/net/{interface}/address"], namespace=namespace)
        return cls(namespace, interface, shown.stdout.strip())

    def answered(self, address: str, within: float = 20.0) -> float:
        """When the first answer to a question of ours came; gratuitous announcements do not count."""
        target = IPv4Address(address).packed
        own = IPv4Address("192.0.2.1").packed
        head = b"\xff" * 6 + self._mac + ETH_P_ARP.to_bytes(2, "big") + bytes.fromhex("0001080006040001")
        question = head + self._mac + own + bytes(6) + target
        deadline = time.monotonic() + within
        while (asked := time.monotonic()) < deadline:
            self._socket.send(question)
            while (left := asked + ASK_EVERY_S - time.monotonic()) > 0:
                if select.select([self._socket], [], [], left)[0]:
                    frame = self._socket.recv(128)
                    if frame[:6] == self._mac and frame[20:22] == b"\0\2" and frame[28:32] == target:
                        return time.monotonic()
        raise DeafError(f"nobody answered for {address} within {within:.0f} s")

    def close(self) -> None:
        """Stop asking."""
        self._socket.close()


def _get(connection: http.client.HTTPConnection, path: str) -> Mapping[str, Any]:
    connection.request("GET", path)
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    return found
