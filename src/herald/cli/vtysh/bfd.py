"""`show bfd …` in the layout of FRR's bfdd 8.4, from the answer to `bfd` of the speaker.

What FRR has a word for and Herald has another idea of: a peer of which nothing was heard is said to have the slow
intervals that FRR assumes, and the round trip is that of the last echo.
"""

from collections.abc import Iterator
from typing import Any, Final

Document = dict[str, Any]

_ASSUMED: Final[Document] = {
    "diagnostic": "no diagnostic",
    "detectMultiplier": 3,
    "transmitInterval": 1000,
    "receiveInterval": 1000,
    "echoInterval": 0,
}
_STATES: Final = {"AdminDown": "shutdown"}
_UNKNOWN_ADDRESSES: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104


def peers(sessions: list[Document]) -> str:
    """`show bfd peers`."""
    return "\n".join(["BFD Peers:", *(line for each in sessions for line in _paragraph(each))])


def peer(session: Document) -> str:
    """`show bfd peer ADDRESS`."""
    return "\n".join(["BFD Peer:", *_paragraph(session)])


def counters(sessions: list[Document]) -> str:
    """`show bfd peers counters`."""
    lines = ["BFD Peers:"]
    for each in sessions:
        lines += [f"\tpeer {_ends(each)}"]
        lines += [
            f"\t\tControl packet input: {each['packetsIn']} packets",
            f"\t\tControl packet output: {each['packetsOut']} packets",
            f"\t\tEcho packet input: {each['echo']['received']} packets",
            f"\t\tEcho packet output: {each['echo']['sent']} packets",
            f"\t\tSession up events: {each['ups']}",
            f"\t\tSession down events: {each['downs']}",
            f"\t\tZebra notifications: {each['ups'] + each['downs']}",
            "",
        ]
    return "\n".join(lines)


def brief(sessions: list[Document]) -> str:
    """`show bfd peers brief`."""
    line, rule = "{:<10} {:<40} {:<40}{:<15}", "="
    rows = [("SessionId", "LocalAddress", "PeerAddress", "Status"), (rule * 9, rule * 12, rule * 11, rule * 6)]
    for each in sessions:
        local = each["localAddress"] or _UNKNOWN_ADDRESSES[6 if ":" in each["address"] else 4]
        rows.append((str(each["discriminator"]), local, each["address"], _status(each)))
    return "\n".join([f"Session count: {len(sessions)}", *(line.format(*row) for row in rows)])


def document(each: Document) -> Document:
    """An entry of `show bfd peers json`."""
    remote, trip = each["remote"] or _ASSUMED, _round_trip_us(each)
    return {
        **_ends_document(each),
        "id": each["discriminator"],
        "remote-id": each["remoteDiscriminator"],
        "passive-mode": each["passive"],
        **({"minimum-ttl": each["minimumTTL"]} if each["multihop"] else {}),
        "status": _status(each),
        "uptime" if each["state"] == "Up" else "downtime": int(each["since"]),
        "diagnostic": _diagnostic(each["diagnostic"]),
        "remote-diagnostic": _diagnostic(remote["diagnostic"]),
        "receive-interval": each["receiveInterval"],
        "transmit-interval": each["transmitInterval"],
        "echo-receive-interval": each["echoInterval"],
        "echo-transmit-interval": each["echoInterval"],
        "detect-multiplier": each["detectMultiplier"],
        "remote-receive-interval": int(remote["receiveInterval"]),
        "remote-transmit-interval": int(remote["transmitInterval"]),
        "remote-echo-receive-interval": int(remote["echoInterval"]),
        "remote-detect-multiplier": remote["detectMultiplier"],
        "rtt-min": trip,
        "rtt-avg": trip,
        "rtt-max": trip,
    }


def counters_document(each: Document) -> Document:
    """An entry of `show bfd peers counters json`."""
    return {
        **_ends_document(each),
        "control-packet-input": each["packetsIn"],
        "control-packet-output": each["packetsOut"],
        "echo-packet-input": each["echo"]["received"],
        "echo-packet-output": each["echo"]["sent"],
        "session-up": each["ups"],
        "session-down": each["downs"],
        "zebra-notifications": each["ups"] + each["downs"],
    }


def _paragraph(each: Document) -> Iterator[str]:
    remote, trip = each["remote"] or _ASSUMED, _round_trip_us(each)
    yield f"\tpeer {_ends(each)}"
    yield f"\t\tID: {each['discriminator']}"
    yield f"\t\tRemote ID: {each['remoteDiscriminator']}"
    yield f"\t\t{'Passive' if each['passive'] else 'Active'} mode"
    if each["multihop"]:
        yield f"\t\tMinimum TTL: {each['minimumTTL']}"
    yield f"\t\tStatus: {_status(each)}"
    yield f"\t\t{'Uptime' if each['state'] == 'Up' else 'Downtime'}: {_time(each['since'])}"
    yield f"\t\tDiagnostics: {_diagnostic(each['diagnostic'])}"
    yield f"\t\tRemote diagnostics: {_diagnostic(remote['diagnostic'])}"
    yield "\t\tPeer Type: dynamic"
    yield f"\t\tRTT min/avg/max: {trip}/{trip}/{trip} usec"
    yield "\t\tLocal timers:"
    yield f"\t\t\tDetect-multiplier: {each['detectMultiplier']}"
    yield f"\t\t\tReceive interval: {each['receiveInterval']}ms"
    yield f"\t\t\tTransmission interval: {each['transmitInterval']}ms"
    yield f"\t\t\tEcho receive interval: {_interval(each['echoInterval'])}"
    yield f"\t\t\tEcho transmission interval: {_interval(each['echoInterval'])}"
    yield "\t\tRemote timers:"
    yield f"\t\t\tDetect-multiplier: {remote['detectMultiplier']}"
    yield f"\t\t\tReceive interval: {int(remote['receiveInterval'])}ms"
    yield f"\t\t\tTransmission interval: {int(remote['transmitInterval'])}ms"
    yield f"\t\t\tEcho receive interval: {_interval(remote['echoInterval'])}"
    yield ""


def _ends(each: Document) -> str:
    hops = " multihop" if each["multihop"] else ""
    local = f" local-address {each['localAddress']}" if each["localAddress"] else ""
    interface = f" interface {each['interface']}" if each["interface"] and not each["multihop"] else ""
    return f"{each['address']}{hops}{local} vrf {each['vrf'] or 'default'}{interface}"


def _ends_document(each: Document) -> Document:
    return {
        "multihop": each["multihop"],
        "peer": each["address"],
        **({"local": each["localAddress"]} if each["localAddress"] else {}),
        "vrf": each["vrf"] or "default",
        **({"interface": each["interface"]} if each["interface"] and not each["multihop"] else {}),
    }


def _status(each: Document) -> str:
    state = str(each["state"])
    return _STATES.get(state, state.lower())


def _diagnostic(words: str) -> str:
    return "ok" if words == "no diagnostic" else words


def _interval(milliseconds: float) -> str:
    return f"{int(milliseconds)}ms" if milliseconds else "disabled"


def _round_trip_us(each: Document) -> int:
    return int((each["echo"]["roundTrip"] or 0) * 1000)


def _time(seconds: float) -> str:
    """As FRR puts it: `3 second(s)`, `1 hour(s), 2 minute(s), 3 second(s)`."""
    whole = int(seconds)
    parts = ((whole // 86400, "day"), (whole // 3600 % 24, "hour"), (whole // 60 % 60, "minute"))
    return ", ".join([*(f"{count} {unit}(s)" for count, unit in parts if count), f"{whole % 60} second(s)"])
