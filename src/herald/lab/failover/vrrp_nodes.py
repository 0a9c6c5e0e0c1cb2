"""keepalived (VRRP) on the nodes: two instances, one for each family, with the usual priorities."""

import shutil
from dataclasses import dataclass
from typing import Final

from herald.lab import process
from herald.lab.failover.stand import NODES, Stand
from herald.lab.process import Process

PROGRAM: Final = "keepalived"
_CONFIGURATION: Final = """\
global_defs {{
  vrrp_version 3
}}
vrrp_instance four {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {advert_int}
  virtual_ipaddress {{ {v4}/24 }}
}}
vrrp_instance six {{
  state BACKUP
  interface eth0
  virtual_router_id 52
  priority {priority}
  advert_int {advert_int}
  virtual_ipaddress {{ {v6}/64 }}
}}
"""
"""Version 3 (RFC 5798) is needed for IPv6 and for times below a second; all else is as keepalived has it by itself."""


def available() -> bool:
    """Whether keepalived is installed."""
    return shutil.which(PROGRAM) is not None


async def version() -> str:
    """As it says it."""
    shown = await process.run([PROGRAM, "--version"])
    return (shown.stderr or shown.stdout).split("\n", 1)[0].partition(" (")[0]


@dataclass(slots=True)
class VrrpNodes:
    """keepalived with an advertisement every `advert_int` seconds."""

    advert_int: float = 1.0
    name: str = "keepalived"
    home: str | None = next(iter(NODES))

    async def prepare(self, stand: Stand) -> None:
        """Write a configuration for each node."""
        v4, v6 = stand.addresses[:2]
        for number, node in enumerate(NODES):
            text = _CONFIGURATION.format(priority=110 - 5 * number, advert_int=f"{self.advert_int:g}", v4=v4, v6=v6)
            (stand.place.directory / f"{node}.conf").write_text(text)

    def start(self, stand: Stand, node: str) -> Process:
        """In the foreground, with files of its own."""
        at = stand.place.directory
        words = [PROGRAM, "--dont-fork", "--log-console", "--log-detail", "--vrrp", "-f", str(at / f"{node}.conf")]
        words += ["-p", str(at / f"{node}.pid"), "-r", str(at / f"{node}-vrrp.pid")]
        for left in at.glob(f"{node}*.pid"):  # by one that was killed; it would not start beside itself
            left.unlink()
        log = stand.place.log(f"keepalived-{node}")
        return Process.start(f"keepalived-{node}", words, log=log, namespace=stand.place.namespace(node))

    async def knows_all(self, stand: Stand) -> bool:
        """Who has the lower priority knows of nobody but the master; that it runs is all there is."""
        return all(running.running() for running in stand.running.values())
