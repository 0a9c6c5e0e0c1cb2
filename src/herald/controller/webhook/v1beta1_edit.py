"""A BGPPeer edited as v1beta1 loses what that version cannot say."""

import msgspec

from herald.cluster.meta import NamespacedName
from herald.controller.webhook.admission_review import AdmissionRequest
from herald.controller.webhook.conversion import NEW_FIELDS
from herald.controller.webhook.world import World


def lost_fields(request: AdmissionRequest, world: World) -> tuple[str, ...]:
    """A warning that names the fields of the stored peer that an update through v1beta1 takes away.

    The stored one is that of the cache: what the API server sends as the old object has lost them already.
    """
    written = request.request_kind
    if request.operation != "UPDATE" or written is None or (written.kind, written.version) != ("BGPPeer", "v1beta1"):
        return ()
    key = NamespacedName(request.namespace, request.name)
    stored = next((peer for peer in world.resources.bgp_peers if peer.metadata.key == key), None)
    if stored is None:
        return ()
    # False and empty mean the same as absent.
    lost = sorted(name for name, value in msgspec.to_builtins(stored.spec).items() if value and name in NEW_FIELDS)
    if not lost:
        return ()
    text = f"BGPPeer {request.name}: v1beta1 has no {', '.join(lost)}: this update takes it away"
    return (f"{text}. Edit the peer as metallb.io/v1beta2.",)
