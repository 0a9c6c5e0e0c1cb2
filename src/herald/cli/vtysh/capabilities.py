"""What both ends of a session have offered, and graceful restart, in FRR's words and keys (bgpd 8.4)."""

from collections.abc import Iterator
from typing import Any

from herald.cli.vtysh.state import Neighbor

Document = dict[str, Any]
_TITLES = {
    "four-octet-as": "4 Byte AS",
    "extended-message": "Extended Message",
    "route-refresh": "Route refresh",
    "enhanced-route-refresh": "Enhanced Route Refresh",
    "extended-next-hop": "Extended nexthop",
    "multiprotocol ipv4-unicast": "Address Family IPv4 Unicast",
    "multiprotocol ipv6-unicast": "Address Family IPv6 Unicast",
    "graceful-restart": "Graceful Restart Capability",
    "long-lived-graceful-restart": "Long-lived Graceful Restart",
    "fqdn": "Hostname Capability",
    "add-path": "AddPath",
    "bgp-role": "Role",
}
_KEYS = {
    "four-octet-as": "4byteAs",
    "extended-message": "extendedMessage",
    "route-refresh": "routeRefresh",
    "enhanced-route-refresh": "enhancedRouteRefresh",
    "extended-next-hop": "extendedNexthop",
    "long-lived-graceful-restart": "longLivedGracefulRestart",
    "graceful-restart": "gracefulRestart",
    "bgp-role": "role",
}
_FAMILIES = {"ipv4-unicast": ("ipv4Unicast", "IPv4 Unicast"), "ipv6-unicast": ("ipv6Unicast", "IPv6 Unicast")}
_MULTIPROTOCOL, _HOST_NAME = "multiprotocol", "fqdn"
_REFRESH, _OLD_REFRESH = "route-refresh", "route-refresh-cisco"


def lines(one: Neighbor) -> Iterator[str]:
    """The paragraphs of `show bgp neighbors`; nothing without a session."""
    if not one.is_established:
        return
    offered, received = _sides(one)
    yield "  Neighbor capabilities:"
    for name in dict.fromkeys((*offered, *received)):
        if name == _HOST_NAME:
            yield f"    {_TITLES[name]}: {' '.join(_told_names(offered, received))}"
        elif name != _OLD_REFRESH:
            words = ("advertised" if name in offered else "", "received" if name in received else "")
            kind = _refresh_kind(received)[1] if name == _REFRESH and name in received else ""
            yield f"    {_TITLES.get(name, name)}: {' and '.join(word for word in words if word)}{kind}"
    if one.document.get("gracefulRestart") is not None:
        yield from _restart_lines(one)


def _told_names(offered: dict[str, str], received: dict[str, str]) -> Iterator[str]:
    for word, side in (("advertised", offered), ("received", received)):
        if _HOST_NAME in side:
            yield f"{word} (name: {side[_HOST_NAME]},domain name: n/a)"


def _refresh_kind(received: dict[str, str]) -> tuple[str, str]:
    """Which of the two code points of route refresh the peer has named, as a suffix of the key and of the line."""
    return ("OldNew", "(old & new)") if _OLD_REFRESH in received else ("New", "(new)")


def hostname(one: Neighbor) -> Document:
    """The peer's name, if it told one."""
    name = _sides(one)[1].get(_HOST_NAME)
    return {} if name is None else {"hostname": name}


def document(one: Neighbor) -> Document:
    """`neighborCapabilities` and `gracefulRestartInfo`; nothing without a session."""
    if not one.is_established:
        return {}
    offered, received = _sides(one)
    found: Document = {
        key: _ways(name, offered, received) for name, key in _KEYS.items() if name in offered or name in received
    }
    if found.get("routeRefresh", "advertised") != "advertised":
        found["routeRefresh"] += _refresh_kind(received)[0]
    families = {
        key: {_ways(f"{_MULTIPROTOCOL} {family}", offered, received): True}
        for family, (key, _) in _FAMILIES.items()
        if {f"{_MULTIPROTOCOL} {family}"} & {*offered, *received}
    }
    if families:
        found["multiprotocolExtensions"] = families
    names = {"adv": offered.get(_HOST_NAME), "rcv": received.get(_HOST_NAME)}
    if any(names.values()):
        told = {way: name for way, name in names.items() if name is not None}
        found["hostName"] = {f"{way}HostName": name for way, name in told.items()} | {
            f"{way}DomainName": "n/a" for way in told
        }
    return {"neighborCapabilities": found | _restart_times(one), **_restart(one)}


def _sides(one: Neighbor) -> tuple[dict[str, str], dict[str, str]]:
    """The capabilities that either end offers, by name; a family belongs to the name."""
    both = one.document["capabilities"]
    offered, received = (dict(map(_name_and_value, both[way])) for way in ("offered", "received"))
    return offered, received


def _name_and_value(text: str) -> tuple[str, str]:
    name, _, value = text.partition(" ")
    return (text, "") if name == _MULTIPROTOCOL else (name, value)


def _ways(name: str, offered: dict[str, str], received: dict[str, str]) -> str:
    if name in offered:
        return "advertisedAndReceived" if name in received else "advertised"
    return "received"


def _restart_times(one: Neighbor) -> Document:
    agreed = one.document.get("gracefulRestart")
    received = agreed["received"] if agreed is not None else None
    if received is None:
        return {}
    families: Document = {_FAMILIES[name][0]: {} for name in received["families"]}
    return {
        "gracefulRestartRemoteTimerMsecs": received["restartTime"] * 1000,
        "addressFamiliesByPeer": families or "none",
    }


def _mode(said: Document | None) -> str:
    if said is None:
        return "Disable"
    return "Restart" if said["families"] else "Helper"


def _restart(one: Neighbor) -> Document:
    agreed = one.document.get("gracefulRestart")
    if agreed is None:
        return {}
    ours, theirs = agreed["offered"], agreed["received"]
    carried = [family for family in one.document["families"] if family["negotiated"]]
    return {
        "gracefulRestartInfo": {
            "endOfRibSend": {_FAMILIES[each["family"]][0]: True for each in carried if each["endOfRIBSent"]},
            "endOfRibRecv": {_FAMILIES[each["family"]][0]: True for each in carried if each["endOfRIBReceived"]},
            "localGrMode": _mode(ours),
            "remoteGrMode": _mode(theirs),
            "rBit": bool(theirs and theirs["restarting"]),
            "nBit": bool(theirs and theirs["notification"]),
            "timers": {
                "configuredRestartTimer": ours["restartTime"] if ours else 0,
                "receivedRestartTimer": theirs["restartTime"] if theirs else 0,
            },
            **{
                _FAMILIES[each["family"]][0]: {
                    "fBit": bool(theirs and theirs["families"].get(each["family"])),
                    "endOfRibStatus": {
                        "endOfRibSend": each["endOfRIBSent"],
                        "endOfRibRecv": each["endOfRIBReceived"],
                    },
                }
                for each in carried
            },
        }
    }


def _restart_lines(one: Neighbor) -> Iterator[str]:
    found = _restart(one)["gracefulRestartInfo"]
    titles = dict(_FAMILIES.values())
    sent, received = (", ".join(titles[key] for key in found[way]) for way in ("endOfRibSend", "endOfRibRecv"))
    yield "  Graceful restart information:"
    if sent:
        yield f"    End-of-RIB send: {sent}"
    if received:
        yield f"    End-of-RIB received: {received}"
    yield f"    Local GR Mode: {found['localGrMode']}"
    yield f"    Remote GR Mode: {found['remoteGrMode']}"
    yield f"    R bit: {found['rBit']}"
    yield f"    N bit: {found['nBit']}"
    yield "    Timers:"
    yield f"      Configured Restart Time(sec): {found['timers']['configuredRestartTimer']}"
    yield f"      Received Restart Time(sec): {found['timers']['receivedRestartTimer']}"
