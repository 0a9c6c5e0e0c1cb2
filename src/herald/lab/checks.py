"""What to look for in the output of clients, routers and Herald: functions from a command's result to `Seen`.

Each says in `Seen.text` what was found, so that a claim that holds can tell which node it was, and one that does not
hold can be understood.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import yaml

from herald.lab.client import answering_macs
from herald.lab.daemons import bird
from herald.lab.process import Result
from herald.lab.proof import Check, Seen


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, or `none`."""
    return ", ".join(words) or "none"


def exactly(wanted: Collection[str], found: Collection[str], what: str = "") -> Seen:
    """Whether two collections have the same members."""
    return Seen(sorted(set(wanted)) == sorted(set(found)), (f"{what} " if what else "") + listed(sorted(set(found))))


def succeeded(result: Result) -> Seen:
    """The command ended with exit code 0."""
    code = f"exit code {result.exit_code}"
    return Seen(result.ok, code if result.ok else (result.stderr or result.stdout).strip() or code, result.ok)


# Clients


def answered_by(nodes: Collection[str]) -> Check:
    """`curl` printed the name of one of `nodes`."""

    def check(result: Result) -> Seen:
        name = result.stdout.strip()
        return Seen(result.ok and name in nodes, f"answered by {name}" if result.ok else result.stderr.strip())

    return check


def unanswered(result: Result) -> Seen:
    """`curl` got no answer."""
    if result.ok:
        return Seen(False, f"answered by {result.stdout.strip()}")
    return Seen(True, result.stderr.strip() or f"no answer, exit code {result.exit_code}", obvious=True)


def one_node_answers(node_by_mac: Mapping[str, str], allowed: Callable[[str], bool] = lambda _node: True) -> Check:
    """`arping` got answers from exactly one MAC address, and it belongs to a node that is `allowed`."""

    def check(result: Result) -> Seen:
        macs = answering_macs(result.stdout)
        nodes = [node_by_mac.get(mac, "nobody we know") for mac in macs]
        found = listed(f"{node} ({mac})" for node, mac in zip(nodes, macs, strict=True))
        return Seen(len(macs) == 1 and macs[0] in node_by_mac and allowed(nodes[0]), found)

    return check


def nobody_answers(result: Result) -> Seen:
    """`arping` got no answer."""
    macs = answering_macs(result.stdout)
    return Seen(False, f"answers from {listed(macs)}") if macs else Seen(True, "no answer", obvious=True)


def neighbour_is(node_by_mac: Mapping[str, str], allowed: Callable[[str], bool]) -> Check:
    """`ip -j neigh show ADDRESS` names a node that is `allowed`."""

    def check(result: Result) -> Seen:
        entry = json.loads(result.stdout)[0]
        node = node_by_mac[entry["lladdr"].lower()]
        return Seen(allowed(node), node)

    return check


def shared_by(nodes: Collection[str], requests: int) -> Check:
    """`curl` many times, then `sort | uniq -c`: `requests` answers, some from each of `nodes`."""

    def check(result: Result) -> Seen:
        pairs = [line.split() for line in result.stdout.splitlines()]
        counts = {node: int(count) for count, node in pairs}
        told = listed(f"{node} {count}" for node, count in sorted(counts.items()))
        return Seen(set(counts) == set(nodes) and sum(counts.values()) == requests, told)

    return check


def never_failed(requests: int, failed: int, told: str) -> Seen:
    """A poller asked and every request was answered."""
    return Seen(requests > 0 and failed == 0, told)


# FRR, asked for JSON


def sessions(wanted: Mapping[str, str]) -> Check:
    """`show bgp summary json`: the state of each neighbour in `wanted` (address → state)."""

    def check(result: Result) -> Seen:
        peers = json.loads(result.stdout)["ipv4Unicast"]["peers"]
        found = {address: str(peer["state"]) for address, peer in peers.items() if address in wanted}
        told = listed(f"{address} {state}" for address, state in sorted(found.items()))
        return Seen(found == dict(wanted), told)

    return check


def established(addresses: Iterable[str]) -> Check:
    """`show bgp summary json`: sessions with all of `addresses` are established."""
    inner = sessions(dict.fromkeys(addresses, "Established"))

    def check(result: Result) -> Seen:
        seen = inner(result)
        return replace(seen, obvious=seen.holds)

    return check


def paths(text: str) -> list[dict[str, Any]]:
    """The valid paths in the answer to `show bgp ipv4 unicast PREFIX json`; empty when there is no such prefix."""
    return [path for path in (json.loads(text).get("paths") or []) if path.get("valid")]


def next_hops(text: str) -> list[str]:
    """The next hops that FRR uses (best path and equal ones), sorted, from `show bgp ipv4 unicast PREFIX json`."""
    used = [path for path in paths(text) if path.get("multipath") or (path.get("bestpath") or {}).get("overall")]
    return sorted({hop["ip"] for path in used for hop in path["nexthops"]})


def route_via(wanted: Collection[str]) -> Check:
    """`show bgp ipv4 unicast PREFIX json`: FRR uses exactly these next hops, all equal."""
    return lambda result: exactly(wanted, next_hops(result.stdout), "via")


def no_route(result: Result) -> Seen:
    """`show bgp ipv4 unicast PREFIX json`: no path at all."""
    found = paths(result.stdout)
    return Seen(False, f"{len(found)} paths") if found else Seen(True, "no path", obvious=True)


def every_path(title: str, part: Callable[[dict[str, Any]], Any], wanted: Any) -> Check:
    """`show bgp ipv4 unicast PREFIX json`: there are paths and `part` of each is `wanted`; `title` names the part."""

    def check(result: Result) -> Seen:
        found = [part(path) for path in paths(result.stdout)]
        told = listed(sorted({str(one) for one in found if one not in (None, "")}))
        return Seen(bool(found) and all(one == wanted for one in found), f"{title} {told}")

    return check


def prefixes(wanted: Collection[str]) -> Check:
    """`show bgp ipv4 unicast json`: the table has exactly these prefixes."""
    return lambda result: exactly(wanted, list(json.loads(result.stdout)["routes"]))


def neighbor_timers(address: str, hold: int, keepalive: int) -> Check:
    """`show bgp neighbors ADDRESS json`: the session is up with these negotiated times, in seconds."""

    def check(result: Result) -> Seen:
        told = json.loads(result.stdout)[address]
        found = (told["bgpTimerHoldTimeMsecs"] // 1000, told["bgpTimerKeepAliveIntervalMsecs"] // 1000)
        up = told["bgpState"] == "Established"
        return Seen(up and found == (hold, keepalive), f"{told['bgpState']}, hold {found[0]} s, keepalive {found[1]} s")

    return check


# Kernels and BIRD


def kernel_gateways(wanted: Collection[str]) -> Check:
    """`ip -j route show PREFIX`: one route with exactly these gateways."""

    def check(result: Result) -> Seen:
        routes = json.loads(result.stdout)
        hops = [hop["gateway"] for route in routes for hop in route.get("nexthops") or [route]]
        return Seen(len(routes) == 1 and sorted(hops) == sorted(wanted), listed(sorted(hops)))

    return check


def owns_none_of(addresses: Collection[str]) -> Check:
    """`ip -j addr`: none of `addresses` belongs to this kernel."""

    def check(result: Result) -> Seen:
        own = [one["local"] for link in json.loads(result.stdout) for one in link["addr_info"]]
        holds = set(own).isdisjoint(addresses)
        return Seen(holds, f"only {listed(own)}" if holds else listed(set(own) & set(addresses)), holds)

    return check


def bird_sessions(count: int) -> Check:
    """`birdc show protocols`: this many BGP sessions are established."""

    def check(result: Result) -> Seen:
        rows = [line.split() for line in result.stdout.splitlines()]
        up = [row[0] for row in rows if len(row) > 1 and row[1] == "BGP" and "Established" in row]
        return Seen(len(up) == count, f"Established: {listed(up)}", obvious=len(up) == count)

    return check


def bird_routes(wanted: Mapping[str, Collection[str]]) -> Check:
    """`birdc show route`: exactly these prefixes with these next hops."""

    def check(result: Result) -> Seen:
        table = bird.routes(result.stdout)
        told = listed(f"{prefix} via {' '.join(hops)}" for prefix, hops in sorted(table.items()))
        holds = table == {prefix: sorted(hops) for prefix, hops in wanted.items()}
        return Seen(holds, listed(sorted(table)) if holds else told)

    return check


# Herald


def service_has(address: str) -> Check:
    """The status file of a Service: its only address is `address`."""

    def check(result: Result) -> Seen:
        ingress = yaml.safe_load(result.stdout)["status"]["loadBalancer"]["ingress"]
        found = [one["ip"] for one in ingress]
        return Seen(found == [address], listed(found), obvious=found == [address])

    return check


def problems(text: str) -> list[dict[str, Any]]:
    """The problems in the JSON of `herald plan`."""
    found: list[dict[str, Any]] = json.loads(text)["problems"]
    return found


def _told(problem: dict[str, Any]) -> str:
    return f"{problem.get('field') or ''} {problem['message']}"


def no_errors(result: Result) -> Seen:
    """`herald plan -o json`: no object is left out."""
    errors = [one for one in problems(result.stdout) if one["severity"] == "error"]
    warnings = [one for one in problems(result.stdout) if one["severity"] == "warning"]
    told = f"0 errors, {len(warnings)} {'warning' if len(warnings) == 1 else 'warnings'}"
    return Seen(not errors, "\n".join(one["message"] for one in errors) or told)


def warns(kind: str, name: str, *words: str) -> Check:
    """`herald plan -o json`: a problem of this object that names all these words, in its field or its message."""

    def check(result: Result) -> Seen:
        about = [one for one in problems(result.stdout) if one["kind"] == kind and one["name"] == name]
        fitting = [one for one in about if all(word.lower() in _told(one).lower() for word in words)]
        if fitting:
            return Seen(True, f"{fitting[0]['rule']}")
        told = "\n".join(f"{one['severity']} {one['rule']} {one['message']}" for one in about)
        return Seen(False, told or f"nothing is said of {kind} {name}")

    return check


def mentions(*words: str) -> Check:
    """The output has all these words."""

    def check(result: Result) -> Seen:
        found = all(word in result.stdout for word in words)
        return Seen(found, listed(words) if found else (result.stdout + result.stderr).strip(), found)

    return check


def speaks_with(peer: str) -> Check:
    """`herald show bgp summary -o json`: the speaker has an established session that goes by the name `peer`."""

    def check(result: Result) -> Seen:
        document = json.loads(result.stdout)
        sessions = document["data"] if isinstance(document, dict) else document
        states = {one["peer"]: one["state"] for one in sessions}
        found = {name: state for name, state in states.items() if peer in name}
        holds = [state.lower() for state in found.values()] == ["established"]
        told = listed(f"{name} {state}" for name, state in states.items())
        return Seen(holds, listed(found.values()) if holds else told)

    return check


def finds_lines(result: Result) -> Seen:
    """`grep` found something in the logs; how much, and the message of the last line."""
    lines = result.stdout.splitlines()
    if not lines:
        return Seen(False, "no line")
    count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
    return Seen(True, f'{count}, like "{message(lines[-1])}"')


def message(line: str) -> str:
    """What a line of Herald's log says, without time and fields; any other line as it is."""
    try:
        return str(json.loads(line)["msg"])
    except (ValueError, LookupError, TypeError):
        return line
