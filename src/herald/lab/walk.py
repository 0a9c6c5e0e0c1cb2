"""A walk through a how-to: the lab, the proof and the manifests together, with the sentences every scenario needs.

Each method that claims something is one line of the report. Times of what a change brings about (an address, a route,
a session, a neighbour) run from that change; times of what just holds (an answer) are those of the command.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from herald.lab import checks
from herald.lab.client import Poller, Tally, answering_macs, arping, curl
from herald.lab.cluster import Object
from herald.lab.data_centre import DataCentre
from herald.lab.howto import HowTo
from herald.lab.process import Result
from herald.lab.proof import Check, Command, Proof, Seen

METALLB = "metallb-system"

POLL_BEFORE, POLL_AFTER = 0.25, 1.5
"""Seconds for which clients poll before, and at least after, the change that they are not to notice."""


@dataclass(slots=True)
class Walk:
    """One scenario under way."""

    lab: DataCentre
    proof: Proof
    howto: HowTo
    changed_at: float = field(default_factory=time.monotonic)
    spoken: list[str] = field(default_factory=list)

    # What a user does

    def step(self, title: str, note: str = "") -> None:
        """A heading."""
        self.proof.section(title, note)

    def did(self, text: str) -> None:
        """Something was changed; times are measured from here on."""
        self.proof.act(text)
        self.changed_at = time.monotonic()

    async def kubectl(self, words: str, change: Awaitable[list[str]]) -> None:
        """A change as kubectl makes it, and what it says of it; times run from before kubectl began."""
        began = time.monotonic()
        self.spoken = await change
        self.did(f"$ kubectl {words}")
        for line in self.spoken:
            self.proof.act(f"  {line}")
        self.changed_at = began

    async def apply(self, *files: str) -> None:
        """`kubectl apply -f` for files of the how-to."""
        for file in files:
            text = self.howto.text(file)
            await self.kubectl(f"apply -f {file}.yaml", self.lab.platform.apply(f"{file}.yaml", text))

    async def apply_one(self, file: str, name: str) -> None:
        """`kubectl apply` for one object of a file."""
        document = self.howto.object(file, name)
        words = f"apply -f {file}.yaml  (its {document['kind']} {name})"
        await self.kubectl(words, self.lab.platform.apply(f"{name}.yaml", yaml.safe_dump(document, sort_keys=False)))

    async def delete(self, *objects: Object) -> None:
        """`kubectl delete` for objects as they were applied, those of a kind in one go."""
        by_kind: dict[tuple[str, str], list[str]] = {}
        for document in objects:
            key = document["kind"], document["metadata"].get("namespace", "default")
            by_kind.setdefault(key, []).append(document["metadata"]["name"])
        for (kind, namespace), names in by_kind.items():
            words = f"delete {kind.lower()} {' '.join(names)} -n {namespace}"
            await self.kubectl(words, self.lab.platform.delete(kind, namespace, names))

    async def label_node(self, node: str, key: str, value: str) -> None:
        """`kubectl label node`."""
        await self.kubectl(f"label node {node} {key}={value}", self.lab.platform.label_node(node, {key: value}))

    async def patch_peer(self, name: str, field_name: str, value: Any) -> None:
        """`kubectl patch bgppeer --type=json` with one replacement in its spec."""
        operations = [{"op": "replace", "path": f"/spec/{field_name}", "value": value}]
        words = f"patch bgppeer {name} -n {METALLB} --type=json -p='{json.dumps(operations)}'"
        await self.kubectl(words, self.lab.platform.patch("BGPPeer", METALLB, name, operations))

    # What is claimed

    async def claim(
        self,
        title: str,
        command: Command,
        expected: str,
        check: Check,
        *,
        within: float = 15.0,
        since: float | None = None,
    ) -> Result:
        """Any claim; `since` as in `Proof.that`. What was seen is told with the names of hosts, not their addresses."""

        def named(result: Result) -> Seen:
            seen = check(result)
            return replace(seen, text=self.lab.blueprint.topology.named(seen.text)) if seen.holds else seen

        return await self.proof.that(title, command, expected, named, within=within, since=since)

    async def follows(self, title: str, command: Command, expected: str, check: Check, *, within: float = 15.0) -> None:
        """A claim of what the last change brings about: its time runs from that change."""
        await self.claim(title, command, expected, check, within=within, since=self.changed_at)

    async def manifests_accepted(self, title: str = "Herald accepts every manifest") -> None:
        """`herald plan` leaves no object out."""
        await self.claim(title, self.lab.platform.plan(), "no problem of severity error", checks.no_errors)

    async def warned(self, title: str, kind: str, name: str, *words: str) -> None:
        """`herald plan` warns about an object, with certain words."""
        expected = f"a warning about {kind} {name} that says " + " and ".join(f'"{word}"' for word in words)
        await self.claim(title, self.lab.platform.plan(), expected, checks.warns(kind, name, *words))

    async def logged(self, title: str, pattern: str, *, component: str = "speaker") -> None:
        """`kubectl logs | grep` finds something; the title says whose log tells of what."""
        await self.claim(title, self.lab.platform.logs(component, pattern), "at least one line", checks.finds_lines)

    async def asked(
        self, title: str, line: str, expected: str, check: Check, *, within: float = 15.0, follows: bool = False
    ) -> None:
        """A line of a how-to, as its reader types it, shows what the reader expects; passed over without kubectl."""
        command = self.lab.platform.asking(line)
        if command is not None:
            since = self.changed_at if follows else None
            await self.claim(title, command, expected, check, within=within, since=since)

    def heard(self, title: str, *words: str) -> None:
        """kubectl warned when the last change was made, with all these words; passed over without kubectl."""
        command = self.lab.platform.asking("kubectl apply")
        if command is not None:
            told = [line for line in self.spoken if all(word in line for word in words)]
            expected = "a warning that says " + " and ".join(f'"{word}"' for word in words)
            seen = Seen(bool(told), "\n".join(told or self.spoken) or "no warning", obvious=True)
            self.proof.measured(title, replace(command, shown="what kubectl printed"), expected, seen, 0.0)

    async def service_gets(self, name: str, address: str) -> None:
        """The controller gives a service of the namespace default this address."""
        status = self.lab.platform.service(name)
        await self.follows(f"{name} gets {address}", status, address, checks.service_has(address))

    async def sessions_up(self, title: str, router: str, addresses: Iterable[str], *, within: float = 15.0) -> None:
        """An FRR router has sessions with these addresses."""
        wanted = list(addresses)
        summary = self.lab.vtysh(router, "show bgp summary json")
        expected = f"Established: {checks.listed(wanted)}"
        await self.follows(title, summary, expected, checks.established(wanted), within=within)

    async def bgp_route(
        self, title: str, router: str, prefix: str, via: Iterable[str], *, within: float = 15.0
    ) -> None:
        """An FRR router uses exactly these next hops for a prefix; none means that it does not know the prefix."""
        wanted = sorted(via)
        question = self.lab.vtysh(router, f"show ip bgp {prefix} json")
        check = checks.route_via(wanted) if wanted else checks.no_route
        expected = f"next hops {', '.join(wanted)}" if wanted else "no path"
        await self.follows(title, question, expected, check, within=within)

    async def kernel_route(self, title: str, host: str, prefix: str, via: Iterable[str]) -> None:
        """A router's kernel forwards a prefix to exactly these gateways."""
        wanted = sorted(via)
        command = self.lab.on(host, "ip", "-j", "route", "show", prefix, shown=f"ip route show {prefix}")
        await self.follows(title, command, f"gateways {', '.join(wanted)}", checks.kernel_gateways(wanted))

    async def served(self, title: str, host: str, url: str, by: Collection[str]) -> None:
        """A client gets an answer from one of these nodes."""
        command = self.lab.on(host, *curl(url), shown=f"curl {url}")
        expected = f"the name of one of {', '.join(sorted(by))}"
        await self.claim(title, command, expected, checks.answered_by(by))

    async def not_served(self, title: str, host: str, url: str) -> None:
        """A client gets no answer."""
        command = self.lab.on(host, *curl(url), shown=f"curl {url}")
        await self.claim(title, command, "no answer", checks.unanswered)

    async def shared(self, title: str, host: str, url: str, nodes: Collection[str], *, requests: int = 24) -> None:
        """A client's connections are answered by all of these nodes."""
        script = f"for n in $(seq {requests}); do curl --silent --max-time 2 {url}; done | sort | uniq -c"
        shown = f"{host}$ curl {url}, {requests} times"
        command = Command(("sh", "-c", script), shown, self.lab.place.namespace(host), patience=60)
        expected = f"{requests} answers, some from each of {', '.join(nodes)}"
        await self.claim(title, command, expected, checks.shared_by(nodes, requests))

    async def arp_owner(
        self,
        title: str,
        host: str,
        address: str,
        allowed: Collection[str],
        *,
        count: int = 1,
        since: float | None = None,
    ) -> str:
        """Exactly one node answers ARP for an address, and it is one of `allowed`; its name."""
        command = self.lab.on(host, *arping(address, count=count), shown=f"arping -c {count} {address}")
        check = checks.one_node_answers(self.lab.node_by_mac, allowed.__contains__)
        expected = f"answers from one MAC address, that of {' or '.join(allowed)}"
        result = await self.claim(title, command, expected, check, since=since)
        return self.lab.node_by_mac[answering_macs(result.stdout)[0]]

    async def arp_silence(self, title: str, host: str, address: str) -> None:
        """Nobody answers ARP for an address."""
        command = self.lab.on(host, *arping(address, count=1), shown=f"arping -c 1 {address}")
        await self.claim(title, command, "no answer", checks.nobody_answers)

    async def neighbour_moves(
        self, title: str, host: str, address: str, allowed: Collection[str], *, within: float
    ) -> None:
        """A client that talks to an address is told, unasked, that one of these nodes has it now."""
        command = self.lab.on(host, "ip", "-j", "neigh", "show", address, shown=f"ip neigh show {address}")
        check = checks.neighbour_is(self.lab.node_by_mac, allowed.__contains__)
        await self.follows(title, command, f"the MAC address of {' or '.join(allowed)}", check, within=within)

    async def kernels_do_not_own(self, title: str, hosts: Iterable[str], address: str) -> None:
        """No kernel among these hosts has the address."""
        for host in hosts:
            command = self.lab.on(host, "ip", "-j", "addr", shown="ip addr")
            check = checks.owns_none_of({address})
            await self.claim(f"{title} of {host}", command, f"no {address}", check)

    # Polling

    async def poll(self, host: str, url: str) -> Poller:
        """Begin to ask `url` every 10 ms; what is changed next has some requests before it."""
        poller = await Poller.start(self.lab.place, host, url)
        await asyncio.sleep(POLL_BEFORE)
        return poller

    async def polled(self, poller: Poller) -> Tally:
        """End polling, not sooner than a while after the last change."""
        await asyncio.sleep(max(0.0, self.changed_at + POLL_AFTER - time.monotonic()))
        return await poller.stop()

    async def noticed_nothing(self, title: str, poller: Poller) -> Tally:
        """End polling: every request was answered."""
        tally = await self.polled(poller)
        seen = checks.never_failed(tally.requests, tally.failed, str(tally))
        lasted = tally.requests * poller.every_ms / 1000
        self.proof.measured(title, poller.command, "every request is answered", seen, lasted)
        return tally
