"""BFD (RFC 5880): sessions that notice within a few packets that the other end, or the way to it, is gone.

    profile          how a session is to watch: intervals, multiplier, echo
    path             between which ends: single hop (RFC 5881) or multihop (RFC 5883)
    control_packet   the codec
    session          the machine of one session; echo is the part of it that sends packets to itself
    timing           intervals as agreed, poll sequences
    reception        to which session a packet belongs, and why none gets it
    snapshot         a session as a frozen value
    driver           the asyncio shell

Left out: authentication (no profile has a key; such packets are refused), demand mode of our own (the peer's is
respected), point to multipoint (RFC 8562).
"""
