"""The certificate of the webhooks where somebody else keeps it (`--disable-cert-rotation`): read from files."""

import asyncio
import logging
from pathlib import Path

from herald.controller.webhook.certificates import CERT, KEY
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.rotation import Install
from herald.controller.webhook.tls import CertificateError

LOOK_S = 10.0

_log = logging.getLogger("herald.controller.webhook")


async def follow_files(folder: Path, install: Install, readiness: Readiness, look_s: float = LOOK_S) -> None:
    """Serve what is in `folder`, and what will be in it. Runs for ever.

    The files are read again and not watched: a mounted Secret changes by a link that is swapped, and a read is cheap.
    """
    served: tuple[bytes, bytes] | None = None
    complained = ""
    while True:
        try:
            found = await asyncio.to_thread(_read, folder)
            if found != served:
                await install(*found)
                served, complained = found, ""
                readiness.certificates_in_place()
                _log.info("webhook certificate is served", extra={"op": "certFiles", "folder": str(folder)})
        except (OSError, CertificateError) as error:
            readiness.certificates_missing(str(error))
            if str(error) != complained:
                complained = str(error)
                _log.warning("webhook certificate: %s", error, extra={"op": "certFiles"})
        await asyncio.sleep(look_s)


def _read(folder: Path) -> tuple[bytes, bytes]:
    return (folder / CERT).read_bytes(), (folder / KEY).read_bytes()
