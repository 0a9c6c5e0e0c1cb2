"""FRR in a namespace: zebra, bgpd and, where a neighbour is to be watched over by BFD, bfdd.

They run in the foreground, with a directory of their own for sockets and configuration. zebra must be ready before the
others start: a daemon that misses zebra's socket tries again only ten seconds later. The configuration is one
integrated file that vtysh hands to all. FRR drops its privileges to the user `frr`, so its
directory belongs to that user.
"""

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from herald.lab import process
from herald.lab.daemons.router import Neighbor, Router
from herald.lab.place import Place
from herald.lab.process import CommandFailedError, Process

DAEMONS = Path("/usr/lib/frr")
READY_WITHIN = 15.0
GRACEFUL_RESTART = (" bgp graceful-restart", " bgp graceful-restart preserve-fw-state")


def configuration(router: Router) -> str:
    """The integrated frr.conf of a router."""
    lines = [
        f"hostname {router.name}",
        # To the microsecond, so that what bgpd tells can be laid beside what others tell.
        "log timestamp precision 6",
        *_profiles(router),
        f"router bgp {router.asn}",
        f" bgp router-id {router.router_id}",
        # RFC 8212 would otherwise refuse every route of a neighbour without a policy.
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " bgp log-neighbor-changes",
        " bgp bestpath as-path multipath-relax",
        *(GRACEFUL_RESTART if router.graceful_restart else ()),
    ]
    for neighbor in router.neighbors:
        lines += _session(neighbor)
    lines.append(" address-family ipv4 unicast")
    lines += [f"  neighbor {neighbor.address} activate" for neighbor in router.neighbors]
    # FRR's own name for "ECMP, also among routes from the same AS over iBGP".
    lines += ["  maximum-paths 8", "  maximum-paths ibgp 8", " exit-address-family"]
    return "\n".join(lines) + "\n"


def _profiles(router: Router) -> list[str]:
    profiles = {neighbor.bfd.name: neighbor.bfd for neighbor in router.neighbors if neighbor.bfd}
    lines = []
    for name, one in profiles.items():
        lines += [f" profile {name}", f"  transmit-interval {one.interval_ms}", f"  receive-interval {one.interval_ms}"]
        lines += [f"  detect-multiplier {one.multiplier}", " exit"]
    return ["bfd", *lines, "exit"] if lines else []


def _session(neighbor: Neighbor) -> list[str]:
    start = f" neighbor {neighbor.address}"
    lines = [f"{start} remote-as {neighbor.asn}", f"{start} timers connect 1"]
    if neighbor.password is not None:
        lines.append(f"{start} password {neighbor.password}")
    if neighbor.passive:
        lines.append(f"{start} passive")
    if neighbor.source is not None:
        lines.append(f"{start} update-source {neighbor.source}")
    if neighbor.bfd is not None:
        lines += [f"{start} bfd", f"{start} bfd profile {neighbor.bfd.name}"]
    return lines


@dataclass(frozen=True, slots=True)
class Frr:
    """A running FRR router."""

    router: Router
    directory: Path

    @classmethod
    async def start(cls, router: Router, place: Place) -> "Frr":
        """Start zebra, then bgpd, and load the configuration. TimeoutError when a daemon does not become ready."""
        directory = place.directory / router.name
        directory.mkdir()
        for name, text in (
            ("zebra.conf", f"hostname {router.name}\n"),
            ("frr.conf", configuration(router)),
            ("vtysh.conf", ""),
        ):
            (directory / name).write_text(text)
            shutil.chown(directory / name, "frr", "frr")
            (directory / name).chmod(0o640)
        shutil.chown(directory, "frr", "frr")
        self = cls(router, directory)
        self._spawn(place, "zebra")
        await self._until(lambda: (directory / "zserv.api").is_socket() and (directory / "zebra.vty").is_socket())
        if any(neighbor.bfd for neighbor in router.neighbors):
            self._spawn(place, "bfdd", "--bfdctl", str(directory / "bfdd.sock"))
            await self._until((directory / "bfdd.vty").is_socket)
        await self.start_bgpd(place)
        return self

    async def start_bgpd(self, place: Place) -> None:
        """Start bgpd, also in the place of one that was killed, and load the configuration."""
        socket = self.directory / "bgpd.vty"
        socket.unlink(missing_ok=True)
        self._spawn(place, "bgpd")
        await self._until(socket.is_socket)
        await process.must([*self.vtysh, "-f", str(self.directory / "frr.conf")])

    def reconfigured(self, router: Router) -> "Frr":
        """The same router with the configuration of `router` for its next start; what runs is left alone."""
        (self.directory / "frr.conf").write_text(configuration(router))
        return replace(self, router=router)

    def signal(self, place: Place, number: signal.Signals, *daemons: str) -> None:
        """Send a signal to its daemons (`zebra`, `bgpd`, `bfdd`) without regard for what they make of it."""
        for daemon in daemons:
            pid = place.process(f"{self.router.name}-{daemon}")
            if pid is not None:
                os.kill(pid, number)

    @property
    def vtysh(self) -> list[str]:
        """The command that talks to this router; it works from any namespace."""
        return ["vtysh", "--vty_socket", str(self.directory), "--config_dir", str(self.directory)]

    def asking(self, question: str) -> list[str]:
        """The command that asks this router one question."""
        return [*self.vtysh, "-c", question]

    async def configure(self, *lines: str) -> None:
        """Type `lines` in configuration mode."""
        arguments = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
        result = await process.must([*self.vtysh, *arguments])
        # vtysh ends with 0 even when it understood nothing.
        if "Unknown command" in result.stdout or "% " in result.stdout:
            raise CommandFailedError(result)

    async def ask(self, question: str) -> Any:
        """The answer to a `show … json` question. ValueError when it is not JSON."""
        return json.loads((await process.must(self.asking(question))).stdout)

    def _spawn(self, place: Place, daemon: str, *more: str) -> None:
        d = self.directory
        argv = [str(DAEMONS / daemon), "--vty_socket", str(d), "-z", str(d / "zserv.api"), "-A", "127.0.0.1"]
        argv += ["--log", "stdout", "--log-level", "informational", "-f", str(d / "zebra.conf")]
        argv += ["-i", str(d / f"{daemon}.pid"), *more]
        name = f"{self.router.name}-{daemon}"
        started = Process.start(name, argv, log=place.log(name), namespace=place.namespace(self.router.name))
        place.record_process(name, started.pid)

    async def _until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"FRR on {self.router.name} was not ready after {READY_WITHIN:.0f} s")
            await asyncio.sleep(0.005)
