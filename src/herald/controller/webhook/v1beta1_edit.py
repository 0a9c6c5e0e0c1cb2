"""A BGPPeer edited as v1beta1 loses what that version cannot say."""

from herald.controller.webhook.admission_review import AdmissionRequest
from herald.controller.webhook.conversion import NEW_FIELDS


def lost_fields(request: AdmissionRequest) -> tuple[str, ...]:
    """A warning that names the fields of the stored peer that an update through v1beta1 takes away."""
    written = request.request_kind
    if written is None or (written.kind, written.version) != ("BGPPeer", "v1beta1"):
        return ()
    lost = sorted(name for name in _fields(request.old_object) - _fields(request.object) if name in NEW_FIELDS)
    if not lost:
        return ()
    text = f"BGPPeer {request.name}: v1beta1 has no {', '.join(lost)}: this update takes it away"
    return (f"{text}. Edit the peer as metallb.io/v1beta2.",)


def _fields(peer: object) -> set[str]:
    """The fields that are set to something: false and empty mean the same as absent."""
    spec = peer.get("spec") if isinstance(peer, dict) else None
    return {name for name, value in spec.items() if value} if isinstance(spec, dict) else set()
