"""Sees that no status object tells of a node that has fallen silent: the shell of `silent_nodes`.

    BGPSessionStatus     becomes Unknown, so that `kubectl get bgppeers` counts the session as wanted and not as up
    ServiceBGPStatus     removed: nobody knows whether that node announces anything
    ServiceL2Status      likewise; a node that took over has removed it before

Verbs: `list` and `watch` on nodes and pods, `list` on bgpsessionstatuses, `patch` on bgpsessionstatuses/status,
`deletecollection` on the other two.
"""

import asyncio
import logging
from time import monotonic
from typing import Any, Final

import msgspec

from herald.api import scheme
from herald.api.bgp_session_status import BGPSessionStatus
from herald.api.service_bgp_status import ServiceBGPStatus
from herald.api.service_l2_status import ServiceL2Status
from herald.api.status_label import LABEL_NODE, label_value
from herald.cluster.wire import wire_name
from herald.controller.silent_nodes import GRACE_S, Silence, SilentNodes, SpeakerPod
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient, ApiError
from herald.store.kubernetes.listed import Listed
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.refusals import Refusals
from herald.store.store import StoreError

RETRY_S: Final = 10.0
UNKNOWN: Final = "Unknown"
SPEAKERS: Final = "component=speaker"
_SPOKEN: Final = frozenset({"Established", "Connecting"})
_NOT_FOUND, _CONFLICT = 404, 409

_log = logging.getLogger("herald.controller")


class _Condition(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    status: str = ""


class _Spec(msgspec.Struct, frozen=True, rename=wire_name):
    node_name: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Item(msgspec.Struct, frozen=True):
    """A node or a pod."""

    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def is_ready(self) -> bool | None:
        """What condition Ready says; None without one."""
        return next((one.status == "True" for one in self.status.conditions if one.type == "Ready"), None)


class _Sessions(msgspec.Struct, frozen=True):
    items: tuple[BGPSessionStatus, ...] = ()


class _Deleted(msgspec.Struct, frozen=True):
    items: tuple[msgspec.Raw, ...] = ()


_item = msgspec.json.Decoder(_Item)


class SilentStatuses:
    """In `namespace`, where the pods of the speakers run and their statuses are. A silence must last for `grace_s`."""

    def __init__(self, client: ApiClient, namespace: str, grace_s: float = GRACE_S) -> None:
        self._client = client
        self._namespace = namespace
        self._nodes = Listed(_item.decode, _Item(), Refusals(_log, "nodes", "statuses of dead nodes stay"))
        self._pods = Listed(
            _item.decode, _Item(), Refusals(_log, "pods", "statuses of nodes whose speaker is not ready stay")
        )
        self._silent = SilentNodes(grace_s)
        self._retry_at = 0.0
        self._complaint = ""

    async def run(self) -> None:
        """For ever."""
        reflection = Reflection(self._client)
        reflection.start("/api/v1/nodes", {}, self._nodes.take)
        pods = f"/api/v1/namespaces/{self._namespace}/pods"
        reflection.start(pods, {"labelSelector": SPEAKERS}, self._pods.take)
        try:
            while True:
                await self._wait(reflection)
                # Without the nodes nobody is known to be gone; without the pods the nodes alone tell enough.
                if self._nodes.is_known:
                    self._silent.see(self._readiness(), self._speakers(), monotonic())
                    await self._tell()
        finally:
            await reflection.stop()

    async def _wait(self, reflection: Reflection) -> None:
        deadline = self._silent.deadline()
        timeout_s = None if deadline is None else max(deadline, self._retry_at) - monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await reflection.news()
        except TimeoutError:
            pass  # somebody has been silent for long enough

    async def _tell(self) -> None:
        if monotonic() < self._retry_at:
            return
        try:
            for silence in self._silent.due(monotonic()):
                count = await self._forget(silence)
                self._silent.told(silence)
                if count:
                    fields = {"event": "nodeSilent", "node": silence.node, "why": silence.why, "statuses": count}
                    text = "%s is not heard of any more, its %d statuses are not believed: %s"
                    _log.info(text, silence.node, count, silence.why, extra=fields)
        except StoreError as error:
            self._retry_at = monotonic() + RETRY_S
            if str(error) != self._complaint:
                self._complaint = str(error)
                fields = {"event": "silenceNotTold", "error": str(error)}
                _log.warning("statuses of a silent node stay, will try again: %s", error, extra=fields)
        else:
            self._complaint = ""

    async def _forget(self, silence: Silence) -> int:
        """How many objects told of the node. Raises StoreError."""
        selectors = {"labelSelector": f"{LABEL_NODE}={label_value(silence.node)}"}
        path = _path(BGPSessionStatus, self._namespace)
        found = read_answer(await self._client.get(path, selectors), _Sessions, path).items
        believed = [session for session in found if session.status.state in _SPOKEN]
        for session in believed:
            await self._mark(f"{path}/{session.metadata.name}/status", session, silence)
        count = len(believed)
        for kind in (ServiceBGPStatus, ServiceL2Status):
            path = _path(kind, self._namespace)
            count += len(read_answer(await self._client.delete_all(path, selectors), _Deleted, path).items)
        return count

    async def _mark(self, path: str, session: BGPSessionStatus, silence: Silence) -> None:
        said = f"{session.status.state} is what the speaker said last; {silence.why}"
        status: dict[str, Any] = {"state": UNKNOWN, "lastError": said, "prefixesSent": 0}
        version = {"resourceVersion": session.metadata.resource_version}
        try:
            await self._client.patch(path, {"metadata": version, "status": status})
        except ApiError as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):  # it is gone, with its pod, or its speaker speaks
                raise

    def _readiness(self) -> dict[str, bool | None]:
        return {name: item.is_ready for name, item in self._nodes.items.items()}

    def _speakers(self) -> dict[str, SpeakerPod]:
        pods = self._pods.items.items()
        return {name: SpeakerPod(item.spec.node_name, item.is_ready) for name, item in pods}


def _path(kind: type, namespace: str) -> str:
    found = scheme.find("metallb.io/v1beta1", kind.__name__)
    assert found is not None
    root, plural = found.path.rsplit("/", 1)
    return f"{root}/namespaces/{namespace}/{plural}"
