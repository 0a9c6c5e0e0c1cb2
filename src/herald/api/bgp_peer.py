"""BGPPeer `metallb.io/v1beta2`, the version that is stored: with whom nodes keep a BGP session."""

from typing import Annotated, Literal

import msgspec

from herald.api import duration
from herald.api.schema import (
    ASN,
    OPTIONAL_IN_CRD,
    PARSABLE,
    Duration,
    OptionalASN,
    Rule,
    default,
    described,
    ruled,
)
from herald.api.selector import Selectors
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import SECRET, wire_name

DEFAULT_PORT = 179
LARGEST_RESTART_TIME_S = 4095
_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000


def whole_seconds_complaint(lowest: int, highest: int, text: str) -> str | None:
    """What is wrong with `text` as whole seconds within the bounds, or None; silent about what is no duration."""
    try:
        length = duration.nanoseconds(text)
    except duration.DurationError:
        return None  # PARSABLE says so already.
    if not lowest <= length // _SECOND <= highest:
        return f'"{text}" is out of range; {lowest}s to {highest}s is possible'
    # The API server's rule looks at milliseconds; what is finer passes there and here.
    if length // _MILLISECOND % 1000:
        return f'"{text}" is not a whole number of seconds; write e.g. {max(length // _SECOND, lowest)}s'
    return None


ConnectTime = Annotated[
    str,
    ruled(
        PARSABLE,
        Rule(
            "duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= 65535",
            "connect time should be between 1 seconds to 65535",
            lambda text: whole_seconds_complaint(1, 65535, text),
        ),
        Rule(
            "duration(self).getMilliseconds() % 1000 == 0",
            "connect time should contain a whole number of seconds",
        ),
    ),
]
RestartTime = Annotated[
    str,
    ruled(
        PARSABLE,
        Rule(
            f"duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= {LARGEST_RESTART_TIME_S}",
            f"restart time must be between 1 and {LARGEST_RESTART_TIME_S} seconds",
            lambda text: whole_seconds_complaint(1, LARGEST_RESTART_TIME_S, text),
        ),
        Rule(
            "duration(self).getMilliseconds() % 1000 == 0",
            "restart time must be a whole number of seconds",
        ),
    ),
]
SetForever = Annotated[bool, ruled(Rule("self == oldSelf", "EnableGracefulRestart cannot be changed after creation"))]
Port = Annotated[int, msgspec.Meta(ge=1, le=16384), default(DEFAULT_PORT)]
RoleWord = Literal["provider", "rs-server", "rs-client", "customer", "peer"]
KeyID = Annotated[int, msgspec.Meta(ge=0, le=255)]
SessionCount = Annotated[int, msgspec.Meta(ge=0)]


class PasswordSecret(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Names a Secret of type kubernetes.io/basic-auth in Herald's own namespace; its key `password` is used."""

    name: Annotated[str, described("Name of the Secret.")] = ""
    namespace: Annotated[str, described("Not used: the Secret is looked up in Herald's own namespace.")] = ""


class GracefulRestart(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Graceful restart as of RFC 4724: the peer keeps our routes while a speaker restarts."""

    enabled: Annotated[bool, described("Whether graceful restart is offered to the peer.")]
    restart_time: Annotated[
        RestartTime | None,
        described("How long the peer keeps the routes, whole seconds from 1s to 4095s; 120s when not set."),
    ] = None


class SecretRef(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Names a Secret of type kubernetes.io/basic-auth in Herald's own namespace; its key `password` is used."""

    name: Annotated[str, msgspec.Meta(min_length=1), described("Name of the Secret.")]


class TCPAO(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """TCP Authentication Option (RFC 5925) with one key. What we send by, the router receives by, and vice versa."""

    send_id: Annotated[KeyID, described("SendID: number of the key in segments of ours; the router's RecvID.")]
    receive_id: Annotated[KeyID, described("RecvID: number of the key in segments of the router; its SendID.")]
    algorithm: Annotated[
        Literal["hmac-sha-1-96", "aes-128-cmac-96"],
        default("hmac-sha-1-96"),
        described("Algorithm that signs segments and derives their keys (RFC 5926)."),
    ] = "hmac-sha-1-96"
    secret_ref: Annotated[SecretRef, described("Secret that holds the key.")]


class BGPPeerSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The session that is wanted. One of peerASN and dynamicASN, and one of peerAddress and interface, must be set."""

    my_asn: Annotated[OptionalASN, described("AS number of our end of the session.")]
    peer_asn: Annotated[OptionalASN | None, described("AS number that the peer must have. Excludes dynamicASN.")] = None
    dynamic_asn: Annotated[
        Literal["internal", "external"] | None,
        described(
            "Takes the AS number from the peer: internal accepts only our own, external only another one."
            " Excludes peerASN."
        ),
    ] = None
    local_asn: Annotated[ASN | None, described("AS number shown to this peer instead of myASN (local-as).")] = None
    peer_address: Annotated[str, described("IP address of the peer. Excludes interface.")] = ""
    interface: Annotated[
        str,
        described("Name of the node's interface behind which the peer is found (unnumbered). Excludes peerAddress."),
    ] = ""
    source_address: Annotated[str, described("Our own address for the session.")] = ""
    peer_port: Annotated[Port, described("TCP port of the peer.")] = DEFAULT_PORT
    hold_time: Annotated[
        Duration | None, described("Hold time to propose (RFC 4271), 0s or at least 3s, e.g. 90s.")
    ] = None
    keepalive_time: Annotated[
        Duration | None, described("Time between KEEPALIVEs (RFC 4271), at most the hold time.")
    ] = None
    connect_time: Annotated[
        ConnectTime | None, described("Time between attempts to connect, whole seconds from 1s to 65535s.")
    ] = None
    router_id: Annotated[str, described("BGP identifier, written as an IPv4 address.")] = ""
    node_selectors: Annotated[
        Selectors, described("Nodes that keep the session: those that match any of these; all nodes when empty.")
    ] = ()
    password: Annotated[str, SECRET, described("TCP MD5 password (RFC 2385) in plain text.")] = ""
    password_secret: Annotated[
        PasswordSecret | None,
        msgspec.Meta(extra_json_schema={"x-kubernetes-map-type": "atomic"}),
        described("Secret that holds the TCP MD5 password."),
    ] = None
    bfd_profile: Annotated[str, described("BFDProfile that watches over the session; no BFD when not set.")] = ""
    enable_graceful_restart: Annotated[
        SetForever | None, described("Graceful restart with the default time. Cannot be changed later.")
    ] = None
    ebgp_multi_hop: Annotated[bool, described("The peer is of another AS and more than one hop away.")] = False
    vrf: Annotated[str, described("VRF of the host in which the session runs.")] = ""
    disable_mp: Annotated[bool, default(False), described("Deprecated, has no effect.")] = False
    dual_stack_address_family: Annotated[
        bool, default(False), described("Carries routes of both address families over the one session.")
    ] = False
    graceful_restart: Annotated[
        GracefulRestart | None, described("Graceful restart with a time of its own. An addition of Herald's.")
    ] = None
    ttl_security: Annotated[
        bool,
        described(
            "Takes only packets of the peer that no router has passed on, and sends such (GTSM, RFC 5082). Excludes"
            " ebgpMultiHop. An addition of Herald's."
        ),
    ] = False
    passive: Annotated[
        bool,
        described(
            "The peer dials, and is not dialled, but while it may keep a restarted speaker's routes. Speakers must"
            " take BGP connections (--bgp-listen). An addition of Herald's."
        ),
    ] = False
    bfd_strict: Annotated[
        bool,
        described(
            "No session before BFD is up (RFC 5882), and none without; needs bfdProfile. An addition of Herald's."
        ),
    ] = False
    tcp_ao: Annotated[
        TCPAO | None,
        described(
            "Signs and checks every segment (TCP-AO, RFC 5925); where a node's kernel cannot, it does not connect."
            " Excludes password and passwordSecret. An addition of Herald's."
        ),
    ] = None

    role: Annotated[
        RoleWord | None,
        described(
            "What the nodes are to the peer (RFC 9234), which must be the counterpart if it states its own: provider"
            " and customer, rs-server and rs-client, or both peer. For peers of another AS only. An addition of"
            " Herald's."
        ),
    ] = None
    role_strict: Annotated[
        bool,
        described("Refuses a peer that does not state its role (RFC 9234); needs role. An addition of Herald's."),
    ] = False

    def __repr__(self) -> str:
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = (f"{name}={'***' if name == 'password' and value else repr(value)}" for name, value in fields)
        return f"BGPPeerSpec({', '.join(shown)})"


class BGPPeerStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """How many of the sessions are up: an addition of Herald's. Each session has a BGPSessionStatus of its own."""

    sessions: Annotated[str, described("Sessions that are up, of those that nodes are to keep, e.g. 2/3.")] = ""
    sessions_up: Annotated[SessionCount | None, described("Sessions that are up.")] = None
    sessions_wanted: Annotated[SessionCount | None, described("Sessions that nodes are to keep.")] = None


class BGPPeer(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A router with which the selected nodes keep a BGP session."""

    metadata: ObjectMeta = ObjectMeta()
    spec: Annotated[BGPPeerSpec, OPTIONAL_IN_CRD]
    status: BGPPeerStatus = BGPPeerStatus()
