"""The engine goes before others on a busy machine, where it may.

What it does takes microseconds, and late by tens of milliseconds is too late for BFD. A real-time class would let a
mistake of ours starve the whole machine; a lower nice value is enough to be served within a millisecond or two beside
processes that compute. It takes CAP_SYS_NICE, which root on a plain host has and a pod usually has not: then all stays
as it is.
"""

import logging
import os
from typing import Final

NICE: Final = -10

_log: Final = logging.getLogger("herald.engine")


def take() -> None:
    """Become nicer to ourselves if that is allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except PermissionError:
        _log.debug("the engine keeps its priority: no CAP_SYS_NICE", extra={"event": "enginePriority"})
