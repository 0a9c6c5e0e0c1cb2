"""What was measured of failover: kept in failover.json as it comes, so that an interrupted run can be gone on with.

{"about": {…}, "aboutNud": {…}, "groups": {"Herald": {"killed": {…}, …}, …, "many": …, "nud": …}, "failed": {…}}
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from herald.lab.failover.stand import ADDRESSES
from herald.lab.failover.trial import Outcome, Phase

FILE = Path(__file__).parent / "failover.json"
MANY, NUD = "1,000 addresses", "neighbour"
FAMILIES = dict(zip(("IPv4", "IPv6"), ADDRESSES, strict=True))


class Record:
    """The results, in a file or, if it has none, in memory."""

    def __init__(self, document: dict[str, Any], path: Path | None) -> None:
        self._document = document
        self._path = path

    @classmethod
    def read(cls, path: Path = FILE) -> "Record":
        """What the file holds; nothing if there is none."""
        return cls(json.loads(path.read_text()) if path.exists() else _empty({}), path)

    @classmethod
    def volatile(cls, about: dict[str, str]) -> "Record":
        """In memory."""
        return cls(_empty(about), None)

    @property
    def about(self) -> dict[str, str]:
        """Of the main run."""
        return dict(self._document["about"])

    @property
    def about_nud(self) -> dict[str, str]:
        """Of the neighbour's run."""
        return dict(self._document.get("aboutNud", {}))

    def set_about(self, key: str, about: dict[str, str]) -> None:
        """The neighbour's run is one of its own."""
        self._document["aboutNud" if key == NUD else "about"] = about

    def begin_anew(self, about: dict[str, str], keep: Iterable[str]) -> None:
        """Forget everything but the groups to `keep`."""
        kept = {key: self.group(key) for key in keep if self.group(key)}
        self._document.update(about=about, groups=kept, failed={})
        self._save()

    def forget(self, keys: Iterable[str]) -> None:
        """Forget these groups."""
        for key in keys:
            self._document["groups"].pop(key, None)

    def group(self, key: str) -> dict[str, Any]:
        """Case → result."""
        return dict(self._document["groups"].get(key, {}))

    def failures(self, key: str) -> dict[str, str]:
        """Case → why there is no result."""
        return dict(self._document["failed"].get(key, {}))

    def contestants(self) -> list[str]:
        """The groups of contestants, in a fixed order."""
        return sorted(self._document["groups"].keys() - {MANY, NUD})

    def has(self, key: str, case: str) -> bool:
        """Whether it was measured, or has failed for good."""
        return case in self.group(key) or case in self.failures(key)

    def put(self, key: str, case: str, result: dict[str, Any]) -> None:
        """It was measured."""
        self._document["groups"].setdefault(key, {})[case] = result
        self._save()

    def fail(self, key: str, case: str, why: str) -> None:
        """It could not be measured."""
        self._document["failed"].setdefault(key, {})[case] = why
        self._save()

    def _save(self) -> None:
        if self._path is not None:
            self._path.write_text(json.dumps(self._document, indent=1, sort_keys=True) + "\n")


def _empty(about: dict[str, str]) -> dict[str, Any]:
    return {"about": about, "groups": {}, "failed": {}}


def told(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Of all runs of a case: silences in milliseconds, how often and for how long two owners, frames a run."""
    return {
        "runs": len(outcomes),
        "struck": _phases([one.struck for one in outcomes]),
        "mended": {
            **_phases([one.mended for one in outcomes]),
            "doubleFor": [round(one.double_for * 1000) for one in outcomes],
        },
    }


def _phases(phases: Sequence[Phase]) -> dict[str, Any]:
    made: dict[str, Any] = {"seconds": round(sum(one.seconds for one in phases), 3)}
    for family, address in FAMILIES.items():
        made[family] = {
            "client": [round(one.talks[address].silent * 1000) for one in phases],
            "asker": [round(one.asks[address].silent * 1000) for one in phases],
            "moves": [one.talks[address].moves for one in phases],
            "double": [round(one.asks[address].double_s * 1000) for one in phases if one.asks[address].doubles],
        }
    frames: Counter[str] = Counter()
    for one in phases:
        frames.update(one.frames)
    made["frames"] = {kind: count for kind, count in sorted(frames.items()) if count}
    return made
