"""A process that runs until it is told to end, by SIGTERM or SIGINT."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any


async def until_told(work: Coroutine[Any, Any, None], name: str, logger: logging.Logger) -> None:
    """Do the work to its end, or until a signal comes; then it is cancelled, and the log says that `name` ends."""
    running = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        logger.info("%s ends", name)
