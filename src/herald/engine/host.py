"""Whether this host is about to stop: then its routes are to go now, not when nobody forwards any more.

Systemd ends every service on the way down, and tells it apart from `systemctl restart` for whoever asks. In a container
there is no systemd to be asked; there the control process knows of the pod and the Node.
"""

import asyncio
from pathlib import Path
from typing import Final

SYSTEMD: Final = Path("/run/systemd/system")
PATIENCE_S: Final = 0.25


async def is_going_down() -> bool:
    """What systemd says, if there is one and it answers in time."""
    if not SYSTEMD.is_dir():
        return False
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _systemd_state() == b"stopping"
    except (OSError, TimeoutError):
        return False


async def _systemd_state() -> bytes:
    asked = await asyncio.create_subprocess_exec(
        "systemctl", "is-system-running", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        answer, _ = await asked.communicate()
    finally:
        if asked.returncode is None:
            asked.kill()
    return answer.strip()
