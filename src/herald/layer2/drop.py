"""Why a frame was not answered: the reasons that both decision tables share."""

import enum


class Drop(enum.Enum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    NOT_A_REQUEST = "notRequest"
    NOT_FOR_US = "notForUs"
    NOT_HELD = "notHeld"
    OTHER_INTERFACE = "notMatchInterface"
    OWN_PROBE = "ownProbe"
