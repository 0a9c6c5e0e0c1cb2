"""What both the controller and a speaker tell of their store, their configuration and themselves."""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from herald import __version__
from herald.config.problem import Problem, Severity
from herald.observe import process_stats
from herald.observe.exposition import Family, Kind, Sample, Samples, single
from herald.observe.process_stats import ProcessStats

_NO_CONFIGURATION: Final = frozenset({"Service", "EndpointSlice"})
"""Kinds that are not the operator's configuration of Herald."""

UPDATES: Final = Family(
    "metallb_k8s_client_updates_total",
    Kind.COUNTER,
    "New, changed and deleted objects that have been taken in.",
)
UPDATE_ERRORS: Final = Family(
    "metallb_k8s_client_update_errors_total", Kind.COUNTER, "Attempts to do what an object asks for that failed."
)
CONFIG_LOADED: Final = Family(
    "metallb_k8s_client_config_loaded_bool",
    Kind.GAUGE,
    "1 once everything has been read and a configuration was made of it.",
)
CONFIG_STALE: Final = Family(
    "metallb_k8s_client_config_stale_bool",
    Kind.GAUGE,
    "1 while some object of the configuration is refused and left out, or stays at its last good version.",
)
BUILD: Final = Family("herald_build_info", Kind.GAUGE, "Which Herald this is.", ("version", "python"))
LAST_BATCH: Final = Family(
    "herald_store_last_change_timestamp_seconds", Kind.GAUGE, "When the store last told something new."
)
COMPLETE: Final = Family(
    "herald_store_complete_bool", Kind.GAUGE, "0 while a part of the store was never read; nothing is withdrawn then."
)
CONTACT: Final = Family(
    "herald_store_last_contact_timestamp_seconds",
    Kind.GAUGE,
    "When the store was last heard of, by kind of object: also when nothing was new.",
    ("kind",),
)
PROBLEMS: Final = Family(
    "herald_configuration_problems", Kind.GAUGE, "Problems with objects of the configuration.", ("severity",)
)
RESIDENT: Final = Family(
    "herald_process_resident_memory_bytes", Kind.GAUGE, "Memory in use, by process of this pod.", ("process",)
)
DESCRIPTORS: Final = Family(
    "herald_process_open_fds", Kind.GAUGE, "Open file descriptors, by process of this pod.", ("process",)
)
CPU: Final = Family(
    "herald_process_cpu_seconds_total", Kind.COUNTER, "CPU time used, by process of this pod.", ("process",)
)
STARTED: Final = Family(
    "herald_process_start_time_seconds", Kind.GAUGE, "When each process of this pod started.", ("process",)
)

OWN_RESIDENT: Final = Family("process_resident_memory_bytes", Kind.GAUGE, "Resident memory of this process.")
OWN_DESCRIPTORS: Final = Family("process_open_fds", Kind.GAUGE, "Open file descriptors of this process.")
OWN_CPU: Final = Family("process_cpu_seconds_total", Kind.COUNTER, "CPU time that this process has used.")
OWN_STARTED: Final = Family("process_start_time_seconds", Kind.GAUGE, "When this process started, since 1970.")


@dataclass(slots=True)
class StoreCounts:
    """Written to by the loop that takes batches; `clock` gives seconds since 1970."""

    clock: Callable[[], float] = time.time
    updates: int = 0
    errors: int = 0
    loaded: bool = False
    complete: bool = False
    last_change: float | None = None
    contacts: Callable[[], Mapping[str, float]] = dict
    """When each kind was last heard of, if the store knows."""
    _problems: tuple[Problem, ...] = ()

    def took(self, objects: int, *, complete: bool) -> None:
        """A batch with so many objects has been taken in."""
        self.updates += objects
        self.complete = complete
        self.last_change = self.clock()

    def failed(self) -> None:
        """Something that an object asks for could not be done and will be tried again."""
        self.errors += 1

    def configured(self, problems: Iterable[Problem]) -> None:
        """A configuration is in force; these are all the problems there are now."""
        self.loaded = self.loaded or self.complete
        self._problems = tuple(problem for problem in problems if problem.kind not in _NO_CONFIGURATION)

    def page(self) -> Iterator[tuple[Family, Samples]]:
        """The families of the store and of the build."""
        python = platform.python_version()
        by_severity = dict.fromkeys(Severity, 0)
        for problem in self._problems:
            by_severity[problem.severity] += 1
        yield BUILD, (Sample((__version__, python), 1),)
        yield UPDATES, single(self.updates)
        yield UPDATE_ERRORS, single(self.errors)
        yield CONFIG_LOADED, single(self.loaded)
        yield CONFIG_STALE, single(by_severity[Severity.ERROR] > 0)
        yield PROBLEMS, [Sample((severity.value,), count) for severity, count in by_severity.items()]
        yield COMPLETE, single(self.complete)
        yield LAST_BATCH, () if self.last_change is None else single(self.last_change)
        yield CONTACT, [Sample((kind,), at) for kind, at in sorted(self.contacts().items())]


def processes(others: Mapping[str, ProcessStats], own: str) -> Iterator[tuple[Family, Samples]]:
    """What the processes of this pod cost; this one, called `own`, under the customary names as well."""
    mine = process_stats.read()
    everybody = {own: mine, **others}
    yield RESIDENT, [Sample((name,), each.rss) for name, each in everybody.items()]
    yield DESCRIPTORS, [Sample((name,), each.fds) for name, each in everybody.items()]
    yield CPU, [Sample((name,), each.cpu_seconds) for name, each in everybody.items()]
    yield STARTED, [Sample((name,), each.started_at) for name, each in everybody.items()]
    yield OWN_RESIDENT, single(mine.rss)
    yield OWN_DESCRIPTORS, single(mine.fds)
    yield OWN_CPU, single(mine.cpu_seconds)
    yield OWN_STARTED, single(mine.started_at)
