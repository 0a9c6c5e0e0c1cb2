"""What is written into the API, and what of it the contestant has to answer for: from the audit log."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
}
"""Every write, and who it was."""

ITS_OWN = "system:apiserver"
CALM_S = 12.0
"""Longer than the ten seconds that Herald gives the counters within a status before it writes them again."""


@dataclass
class WriteLog:
    """The audit log, read as it grows. Nobody but the contestant may write while somebody looks at `since`."""

    path: Path
    _offset: int = field(default=0, init=False)

    def fresh(self) -> Counter[str]:
        """Writes by kind since the last call, leases apart; refused ones as well."""
        with self.path.open("rb") as log:
            log.seek(self._offset)
            octets = log.read()
        complete = octets[: octets.rfind(b"\n") + 1]
        self._offset += len(complete)
        return Counter(_kind(event) for event in map(json.loads, complete.splitlines()) if _counts(event))

    def wait_calm(self, within: float) -> float | None:
        """Wait until nothing was written for twelve seconds; when the last write was, or None if they do not end."""
        deadline = time.monotonic() + within
        self.fresh()
        last = time.monotonic()
        while (now := time.monotonic()) < deadline:
            if self.fresh():
                last = now
            if now - last >= CALM_S:
                return last
            time.sleep(0.25)
        return None


def _counts(event: dict[str, Any]) -> bool:
    """Whether the contestant wrote it; requests of the benchmark itself name no program."""
    if event["user"]["username"] == ITS_OWN or not event.get("userAgent"):
        return False
    return bool(event.get("objectRef", {}).get("resource") != "leases")


def _kind(event: dict[str, Any]) -> str:
    reference = event.get("objectRef", {})
    subresource = reference.get("subresource")
    return f"{event['verb']} {reference.get('resource', event['requestURI'])}" + (
        f"/{subresource}" if subresource else ""
    )
