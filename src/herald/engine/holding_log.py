"""What the log says of addresses that are taken and given up."""

import logging
from typing import Final

from herald.engine.wish import Difference

_log: Final = logging.getLogger("herald.engine")


def log_holdings(difference: Difference, *, looks_first: bool = False) -> None:
    """One line for each address. `looks_first`: one that somebody uses is kept back, so that is yet to be seen."""
    held = "this node is to answer for %s, and looks first whether somebody uses it"
    held = held if looks_first else "this node answers for %s"
    for holding in difference.held:
        where = "all" if holding.interfaces is None else sorted(holding.interfaces)
        extra = {"event": "addressHeld", "ip": holding.address, "interfaces": where, "protocol": "layer2"}
        _log.info(held, holding.address, extra=extra)
    for address in difference.released:
        extra = {"event": "addressReleased", "ip": address, "protocol": "layer2"}
        _log.info("this node no longer answers for %s", address, extra=extra)
    for one in difference.handed_over:
        extra = {"event": "addressReleased", "ip": one.address, "protocol": "layer2", "successor": one.to}
        _log.info("this node hands %s over to %s", one.address, one.to, extra=extra)
