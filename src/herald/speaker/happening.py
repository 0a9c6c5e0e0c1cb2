"""What a speaker records as Kubernetes events, in MetalLB's words where it has some.

on the Service        nodeAssigned         this node began to announce it, by one protocol
                      announceFailed       this node won its address and has no interface to answer on, or has no BGP
                                           session that is up
                      addressConflict      another machine claims its address, with the MAC
                      notAnnounced         nobody announces it, and why; one speaker says so for all
in Herald's namespace BGPSessionUp/Down    about the BGPPeer
                      BFDSessionUp/Down    the same
                      LeaderChanged        about the ServiceL2Status of the node that took over
                      NodeDamped/Steady    about each L2Advertisement with flapDamping; one speaker says it for all
in `default`          SpeakerUnreachable   about the Node: gossip from or to another speaker does not arrive
                      SpeakerReachable     it does again
"""

from typing import Final

from herald.allocator.convergence import EventType
from herald.announcement.reason import Protocol, Reason
from herald.cluster.meta import NamespacedName, NodeName
from herald.config.findings import ObjectKey
from herald.engine.link import ClosedWay
from herald.layer2.conflict import Conflict
from herald.layer2.quarantine import IN_USE
from herald.layer2.responder import Unanswered
from herald.net.interface import mac_text
from herald.speaker.flaps import Record
from herald.speaker.status_object import SessionReport, StatusKind, object_name
from herald.store.store import Event, service_key

_BFD_UP = "Up"

BGP: Final = Protocol.BGP


def node_assigned(service: NamespacedName, node: NodeName, protocol: Protocol) -> Event:
    """This node announces the service from now on."""
    message = f'announcing from node "{node}" with protocol "{protocol.value}"'
    return Event(service_key(service), EventType.NORMAL, "nodeAssigned", message)


def no_session(service: NamespacedName, node: NodeName, why: str) -> Event:
    """This node is to announce the service, and has no session that is up to do it by; `why` has a clause for each."""
    message = f'node "{node}" cannot announce with protocol "{BGP.value}", no session is up: {why} (noSession)'
    return Event(service_key(service), EventType.WARNING, "announceFailed", message)


def announce_failed(service: NamespacedName, address: object, node: NodeName, reason: str) -> Event:
    """This node is to answer for the address and cannot."""
    if reason.startswith((IN_USE, Unanswered.MUTE.value)):  # here the interfaces exist, which MetalLB's words deny
        message = f'node "{node}" cannot announce "{address}" with protocol "{Protocol.LAYER2.value}": {reason}'
        return Event(service_key(service), EventType.WARNING, "announceFailed", message)
    message = (
        f'the interfaces specified by LB IP "{address}" doesn\'t exist in assigned node "{node}" '
        f'with protocol "{Protocol.LAYER2.value}" ({reason})'
    )
    return Event(service_key(service), EventType.WARNING, "announceFailed", message)


def address_conflict(service: NamespacedName, conflict: Conflict, node: NodeName, owner: str | None) -> Event:
    """Somebody else claims an address that this node answers for; `owner` is the node that has that MAC, if one has."""
    whose = f' (node "{owner}")' if owner else ""
    message = (
        f'{mac_text(conflict.mac)}{whose} also claims {conflict.address}, which node "{node}" answers for; it was '
        f"heard on {conflict.interface}. Free the address there, or take it out of the pool"
    )
    return Event(service_key(service), EventType.WARNING, "addressConflict", message)


def not_announced(service: NamespacedName, reason: Reason) -> Event:
    """Nobody announces the service."""
    return Event(service_key(service), EventType.WARNING, "notAnnounced", f"announced by no node: {reason.words}")


def unreachable(node: NodeName, way: ClosedWay) -> Event:
    """Gossip does not arrive on that way any more."""
    message = f"{way.ends} unreachable: {way.reason}. Speakers need {way.protocol.upper()} port {way.port} both ways"
    return Event(ObjectKey("Node", "", node), EventType.WARNING, "SpeakerUnreachable", message)


def reachable(node: NodeName, way: ClosedWay) -> Event:
    """It does again, or nobody is to be there any more."""
    message = f"{way.ends}: no longer unreachable"
    return Event(ObjectKey("Node", "", node), EventType.NORMAL, "SpeakerReachable", message)


def leader_changed(namespace: str, service: NamespacedName, text: str, node: NodeName) -> Event:
    """This node answers for a service that another one answered for; `text` names both."""
    name = object_name(StatusKind.LAYER2, node, str(service))
    about = ObjectKey(StatusKind.LAYER2.value, namespace, name)
    return Event(about, EventType.NORMAL, "LeaderChanged", f"{service}: {text}")


def damping_words(node: NodeName, record: Record | None, now: float) -> str:
    """That the node stands aside; with what this one knows of it, for how long."""
    if record is None:
        return f"{node} comes and goes too often and stands for no election for a while"
    seconds = max(0, round(record.until - now))
    return f"{node} was lost {record.losses} times and stands for no election for {seconds} s (flapDamping)"


def damping(namespace: str, advertisement: str, text: str, *, is_damped: bool) -> Event:
    """A node stands aside, or no longer."""
    about = ObjectKey("L2Advertisement", namespace, advertisement)
    if is_damped:
        return Event(about, EventType.WARNING, "NodeDamped", text)
    return Event(about, EventType.NORMAL, "NodeSteady", text)


def session_event(namespace: str, node: NodeName, before: SessionReport | None, now: SessionReport) -> Event | None:
    """What has happened to a session between two reports; None if it is nothing to tell."""
    about = ObjectKey("BGPPeer", namespace, now.peer)
    was_up, is_up = before is not None and before.state == "Established", now.state == "Established"
    where = f"BGP session of {node} with {now.peer}" + (f" ({now.address})" if now.address else "")
    if is_up:
        if not was_up:
            return Event(about, EventType.NORMAL, "BGPSessionUp", f"{where} is up")
        if before is not None and before.since != now.since:
            if not now.last_error:  # it was this speaker that ended it
                text = f"{where} is up again, begun anew by this speaker"
                return Event(about, EventType.NORMAL, "BGPSessionUp", text)
            why = f"{where} is up again, it was down meanwhile: {now.last_error}"
            return Event(about, EventType.WARNING, "BGPSessionUp", why)
        return None
    if was_up:
        why = now.last_error or "ended by this speaker"
        return Event(about, EventType.WARNING, "BGPSessionDown", f"{where} is down: {why}")
    if now.state in ("Down", "NotPossible") and (before is None or before.state != now.state):
        return Event(about, EventType.WARNING, "BGPSessionFailed", f"no {where}: {now.last_error}")
    return None


def bfd_event(namespace: str, node: NodeName, before: SessionReport | None, now: SessionReport) -> Event | None:
    """What has happened to the BFD session that watches over a session; None if it is nothing to tell."""
    about = ObjectKey("BGPPeer", namespace, now.peer)
    was_up, is_up = before is not None and before.bfd == _BFD_UP, now.bfd == _BFD_UP
    where = f"BFD session of {node} with {now.peer}" + (f" ({now.address})" if now.address else "")
    if is_up and not was_up:
        return Event(about, EventType.NORMAL, "BFDSessionUp", f"{where} is up")
    if was_up and not is_up and now.bfd:
        return Event(about, EventType.WARNING, "BFDSessionDown", f"{where} is in state {now.bfd}")
    return None
