"""How many sessions of each BGPPeer are up: what the speakers say of their sessions, counted. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from herald.api.bgp_peer import BGPPeer, BGPPeerStatus
from herald.api.bgp_session_status import BGPSessionStatus
from herald.config.findings import ObjectKey
from herald.store.store import StatusPatch

UP = "Established"


class SessionCount:
    """The BGPSessionStatus objects, by name."""

    def __init__(self) -> None:
        self._sessions: dict[str, BGPSessionStatus] = {}
        self._seen: set[str] = set()

    def begin(self) -> None:
        """All objects are about to be put."""
        self._seen = set()

    def put(self, name: str, session: BGPSessionStatus) -> None:
        """The object looks like this."""
        self._seen.add(name)
        self._sessions[name] = session

    def end(self) -> None:
        """What was not put since `begin` is gone."""
        self._sessions = {name: session for name, session in self._sessions.items() if name in self._seen}

    def remove(self, name: str) -> None:
        """The object is gone."""
        self._sessions.pop(name, None)

    def patches(self, peers: Iterable[BGPPeer]) -> tuple[StatusPatch, ...]:
        """The statuses of `peers` that do not say what was counted."""
        wanted = Counter(each.status.peer for each in self._sessions.values())
        up = Counter(each.status.peer for each in self._sessions.values() if each.status.state == UP)
        found = []
        for peer in peers:
            name = peer.metadata.name
            status = _status(up[name], wanted[name])
            if status != peer.status and (wanted[name] or peer.status != BGPPeerStatus()):
                found.append(StatusPatch(ObjectKey.of(peer), _body(status)))
        return tuple(found)


def _status(up: int, wanted: int) -> BGPPeerStatus:
    return BGPPeerStatus(sessions=f"{up}/{wanted}", sessions_up=up, sessions_wanted=wanted)


def _body(status: BGPPeerStatus) -> Mapping[str, object]:
    body: Mapping[str, object] = msgspec.to_builtins(status)
    return body
