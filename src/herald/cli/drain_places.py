"""Where a Node is annotated and its announcements are looked up: a cluster, or a folder of manifests.

cluster    PATCH of the Node; ServiceL2Status and ServiceBGPStatus say what it still announces
folder     DIR/.herald/status/node..NAME.yaml, laid over the Node's manifest; the speaker's socket, if it is on this
           host or was named, says what it still announces, and who was heard to answer instead

All speakers of a cluster see the mark. Those of a folder see it if it is their folder: hosts that gossip may each have
one of their own, and then they leave the addresses to the drained host. So there it is looked who was heard.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from herald.announcement.reason import Code, because
from herald.api import scheme
from herald.cli.show import SOCKET_VARIABLE, exchange
from herald.cluster.node import DRAIN_ANNOTATION, Node
from herald.config.findings import ObjectKey
from herald.config.nearest import suggestion
from herald.speaker import run_directory
from herald.store import durable, status_file
from herald.store.folder import Layout
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.manifest_file import read_manifest
from herald.store.status_file import Overlay, StatusFileError
from herald.store.store import StoreError

_STATUS_KINDS: Mapping[str, str] = {"ServiceL2Status": "layer2", "ServiceBGPStatus": "bgp"}
_NOT_FOUND = 404
_STOP: Final = (
    "stop Herald on the host that is to be rebooted, with `systemctl stop` or SIGTERM: it hands its addresses over, "
    "and others answer at once."
)


class PlaceError(Exception):
    """The Node cannot be annotated; the words are for people."""


class Place(Protocol):
    """See the head of the module."""

    async def annotate(self, node: str, wish: str | None) -> None:
        """Put the drain annotation on the Node, or take it off. Raises PlaceError."""
        ...

    async def silence(self, node: str) -> str | None:
        """Why nobody here can tell what the node announces, and what to do about it; None if somebody may."""
        ...

    async def announced(self, node: str) -> tuple[str, ...] | None:
        """What the node still announces, in words; None if nobody can tell from here."""
        ...

    async def answered(self, node: str) -> frozenset[str]:
        """The addresses whose successors are to be heard, see `unheard`; to be asked for before the mark."""
        ...

    async def unheard(self, node: str, addresses: frozenset[str]) -> tuple[str, ...]:
        """Those of the `addresses` that the node gave up, and nobody was heard to take, as far as can be told."""
        ...


class Cluster:
    """By way of an API server."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def annotate(self, node: str, wish: str | None) -> None:
        """See `Place.annotate`."""
        try:
            await self._client.patch(f"/api/v1/nodes/{node}", {"metadata": {"annotations": {DRAIN_ANNOTATION: wish}}})
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise PlaceError(str(error)) from error
            raise PlaceError(await self._unknown(node)) from error
        except StoreError as error:
            raise PlaceError(str(error)) from error

    async def silence(self, node: str) -> str | None:
        """None: the API server may be away for a moment."""
        return None

    async def announced(self, node: str) -> tuple[str, ...] | None:
        """See `Place.announced`."""
        found: list[str] = []
        for kind in scheme.KINDS:
            if kind.kind in _STATUS_KINDS:
                try:
                    listed = msgspec.json.decode(await self._client.get(kind.path))
                except StoreError:
                    return None
                found += [_words(_STATUS_KINDS[kind.kind], item["status"]) for item in _of(node, listed)]
        return tuple(sorted(found))

    async def answered(self, node: str) -> frozenset[str]:
        """None: every speaker sees the mark."""
        return frozenset()

    async def unheard(self, node: str, addresses: frozenset[str]) -> tuple[str, ...]:
        """None: every speaker sees the mark."""
        return ()

    async def _unknown(self, node: str) -> str:
        try:
            listed = msgspec.json.decode(await self._client.get("/api/v1/nodes"))
        except StoreError as error:
            return str(error)
        names = [item["metadata"]["name"] for item in listed["items"]]
        return f'the cluster has no Node "{node}"{suggestion(node, names)}'


def _of(node: str, listed: Any) -> list[Any]:
    return [item for item in listed["items"] if item.get("status", {}).get("node") == node]


def _words(protocol: str, status: Mapping[str, str]) -> str:
    return f"{status['serviceNamespace']}/{status['serviceName']} by {protocol}"


class Folder:
    """By way of the folder that the speakers watch. `socket` is that of the node's speaker, where it is unusual.

    Without it HERALD_SOCKET counts if the speaker behind it is the node's, then the usual places.
    """

    def __init__(self, directory: Path, socket: Path | None = None) -> None:
        self._layout = Layout(directory.absolute())
        self._socket = socket

    async def annotate(self, node: str, wish: str | None) -> None:
        """See `Place.annotate`."""
        await asyncio.to_thread(self._annotate, node, wish)

    async def silence(self, node: str) -> str | None:
        """See `Place.silence`."""
        if await asyncio.to_thread(self._told, node, "members") is not None:
            return None
        looked = ", ".join(map(str, self._sockets(node)))
        return f"no speaker of {node} answers at {looked}; name its socket with --socket PATH or {SOCKET_VARIABLE}"

    async def announced(self, node: str) -> tuple[str, ...] | None:
        """See `Place.announced`."""
        layer2 = await asyncio.to_thread(self._told, node, "l2")
        routes = await asyncio.to_thread(self._told, node, "bgp routes")
        if layer2 is None or routes is None:
            return None
        held = [f"{one['ip']} by layer2" for one in layer2["holdings"]]
        return tuple(sorted({*held, *(f"{one['prefix']} by bgp" for one in routes)}))

    async def answered(self, node: str) -> frozenset[str]:
        """See `Place.answered`; with what an earlier drain gave up."""
        layer2 = await asyncio.to_thread(self._told, node, "l2")
        held = {one["ip"] for one in layer2["holdings"]} if layer2 else set()
        drained = because(Code.NODE_DRAINED, node=node).words
        moves = await self._last_moves(node)
        return frozenset(held | {ip for ip, move in moves.items() if move["cause"] == drained})

    async def unheard(self, node: str, addresses: frozenset[str]) -> tuple[str, ...]:
        """See `Place.unheard`."""
        moves = await self._last_moves(node)
        return tuple(sorted(ip for ip in addresses if ip not in moves or moves[ip]["heard"] is None))

    async def _last_moves(self, node: str) -> dict[str, Any]:
        """Of each address."""
        newest_first = await asyncio.to_thread(self._told, node, "history") or []
        return {move["ip"]: move for move in reversed(newest_first)}

    def _told(self, node: str, question: str) -> Any:
        """The answer of the node's speaker; None if there is none."""
        for path in self._sockets(node):
            try:
                answer = exchange(path, question)
            except (OSError, ValueError):
                continue
            if isinstance(answer, dict) and answer.get("node") == node:
                return answer.get("data")
        return None

    def _sockets(self, node: str) -> list[Path]:
        """Where the node's speaker may answer."""
        if self._socket is not None:
            return [self._socket]
        named = os.environ.get(SOCKET_VARIABLE)
        usual = [folder / f"{node}.sock" for folder in run_directory.candidates()]
        return [Path(named), *usual] if named else usual

    def _annotate(self, node: str, wish: str | None) -> None:
        nodes = self._nodes()
        if not nodes and self._told(node, "gossip") is not None:
            raise PlaceError(self._apart(node))
        if node not in nodes:
            raise PlaceError(self._unknown(node, nodes))
        path = self._layout.statuses / status_file.file_name(ObjectKey(Node.__name__, "", node))
        try:
            before = status_file.decode(path.read_bytes()) if path.exists() else Overlay(status=None)
            annotations = {**before.annotations, DRAIN_ANNOTATION: wish}
            durable.write_whole(path, status_file.encode(Overlay(before.status, annotations)))
        except OSError as error:
            raise PlaceError(f"{error.filename}: {error.strerror}") from error
        except StatusFileError as error:
            raise PlaceError(f"{path}: {error}") from error

    def _nodes(self) -> list[str]:
        """The names of the Nodes that the manifests have."""
        try:
            paths = [path for path in sorted(self._layout.directory.rglob("*")) if self._layout.is_manifest(path)]
            readings = [read_manifest(path.read_bytes(), path) for path in paths if path.is_file()]
        except OSError as error:
            raise PlaceError(f"{error.filename}: {error.strerror}") from error
        return [key.name for reading in readings for key in reading.objects if key.kind == Node.__name__]

    def _unknown(self, node: str, known: list[str]) -> str:
        where = self._layout.directory
        if known:
            return f'{where} has no Node "{node}"{suggestion(node, known)}'
        return (
            f"{where} has no Node, so there is nothing to mark. Where hosts gossip (--ml-join), each with a folder of "
            f"its own, {_STOP} Where all speakers share this folder, add a Node for each, and they can be drained:\n"
            f"  {{apiVersion: v1, kind: Node, metadata: {{name: {node}, labels: {{kubernetes.io/hostname: {node}}}}}}}"
        )

    def _apart(self, node: str) -> str:
        return (
            f"the speaker of {node} gossips, and {self._layout.directory} has no Node: a mark in it would be seen by "
            f"no other host, and they would leave its addresses to {node}. So {_STOP}"
        )
