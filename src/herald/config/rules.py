"""Every rule that Herald knows, in one table: what is wrong, what follows from it, and what would be right.

Ids are stable and never used twice. HL0xx and HL1xx are mistakes that people make with valid objects, HL2xx is what
goes wrong while reading, HL3xx is what makes a single object unusable. `docs/lint-rules.md` is printed from this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from herald.config.problem import Severity


class Scope(Enum):
    """What a rule needs to see."""

    MANIFESTS = "manifests"
    LIVE = "live cluster"


@dataclass(frozen=True, slots=True)
class Rule:
    """`severity` is the usual one; a single finding may be graver or milder. `reason` is for machines (CamelCase)."""

    id: str
    severity: Severity
    reason: str
    title: str
    consequence: str
    fix: str
    scope: Scope = Scope.MANIFESTS


_E, _W, _I, _LIVE = Severity.ERROR, Severity.WARNING, Severity.INFO, Scope.LIVE

# fmt: off
RULES: tuple[Rule, ...] = (
    # Advertisements that miss their pool, their peer or their node.
    Rule("HL001", _W, "PoolNotAdvertised", "A pool that no advertisement selects",
         "Services get an address that nobody announces.",
         "Add an L2Advertisement or a BGPAdvertisement for the pool; if something else announces it, annotate the pool "
         'with `herald/allocation-only: "true"`.'),
    Rule("HL002", _W, "UnknownPool", "An advertisement names a pool that is not there",
         "The name is skipped: nothing of that pool is announced by this advertisement.",
         "Correct the name, or create the pool."),
    Rule("HL003", _W, "AdvertisementSelectsNothing", "An advertisement that selects no pool",
         "It announces nothing at all. Selectors that match nothing do not fall back to all pools.",
         "Correct `ipAddressPoolSelectors` or the labels of the pools."),
    Rule("HL004", _W, "UnknownPeer", "A BGPAdvertisement names a peer that is not there, or there is no BGPPeer at all",
         "The name is skipped: nobody hears the routes.",
         "Use the `metadata.name` of a BGPPeer."),
    Rule("HL005", _W, "PeerHearsNothing", "A BGPPeer that no BGPAdvertisement reaches",
         "The session comes up and carries no route.",
         "Name the peer in the `peers` of an advertisement, or leave `peers` empty, which means all."),
    Rule("HL006", _W, "ServiceNotAdvertised", "A Service that no advertisement of its pool matches",
         "It has an address that nobody announces.",
         "Correct the labels of the Service or the `serviceSelectors` of the advertisements."),
    # Nodes.
    Rule("HL010", _W, "AllNodesExcluded", "Every node that an advertisement selects may not announce",
         "Nobody announces. kubeadm and Talos put `node.kubernetes.io/exclude-from-external-load-balancers` on every "
         "control-plane node.",
         "Take the label off a node, or run Herald with `--ignore-exclude-lb`."),
    Rule("HL011", _W, "NoSpeakerOnNodes", "No node that an advertisement selects runs a speaker",
         "Nobody announces.",
         "Let speakers run there (tolerations, nodeSelector of the DaemonSet), or select other nodes."),
    Rule("HL012", _I, "SingleCandidate", "Only one node can announce",
         "There is no fail-over: while that node is away the addresses are dark.",
         "Select at least two nodes."),
    # Addresses that belong to somebody else.
    Rule("HL020", _W, "PoolContainsNodeAddress", "A pool contains the address of a node",
         "Once a Service gets it, traffic for the node itself goes astray and the node becomes NotReady.",
         "Leave the address out of the pool."),
    Rule("HL021", _W, "PoolContainsGateway", "A pool contains the default gateway of a node",
         "Once a Service gets it, the segment loses its way out.",
         "Leave the address out of the pool.", _LIVE),
    Rule("HL022", _W, "PoolContainsNetworkAddress", "A pool contains the network or broadcast address of a subnet",
         "Hosts on that subnet cannot reach a Service that gets it. Manifests do not tell the subnets, only nodes do.",
         "Leave the two addresses out, or set `avoidBuggyIPs: true` where they end in 0 and 255.", _LIVE),
    Rule("HL023", _W, "PoolOverlapsClusterNetwork", "A pool overlaps pod addresses or the cluster IP of a Service",
         "Nodes route the address into the pod network, whoever announces it.",
         "Use a range outside of the cluster's own networks."),
    Rule("HL024", _I, "PoolOffLink", "A pool that Layer 2 announces lies in no on-link subnet of the nodes",
         "Legal, but neighbours ask for it by ARP only if they have a route to it on that link.",
         "Check the routes of the neighbours, or announce it by BGP.", _LIVE),
    Rule("HL025", _W, "AddressAnsweredByOther", "Somebody else on the segment answers for an address of a pool",
         "Clients reach now one, now the other.",
         "Take the address away from the device whose MAC the message names, or leave it out of the pool.", _LIVE),
    # Namespaces.
    Rule("HL030", _E, "WrongNamespace", "A metallb.io object outside of Herald's namespace",
         "It is not read.",
         "Create it in the namespace that the message names."),
    Rule("HL031", _W, "SecretInOtherNamespace", "The Secret of a peer is in another namespace",
         "It is not read: passwords come from Herald's namespace only.",
         "Create the Secret in the namespace that the message names."),
    # The nodes' kernels.
    Rule("HL040", _W, "StrictARPOff", "kube-proxy runs in IPVS mode without strictARP",
         "Every node answers ARP for every address.",
         "Set `ipvs.strictARP: true` in the ConfigMap of kube-proxy.", _LIVE),
    Rule("HL041", _W, "KernelAnswersARP", "The address stands on kube-ipvs0 and arp_ignore is 0",
         "The kernel of that node answers ARP as well.",
         "Set `net.ipv4.conf.all.arp_ignore=1` and `arp_announce=2`.", _LIVE),
    Rule("HL042", _W, "ProxyARPOn", "proxy_arp is on",
         "The node answers ARP for addresses that it has a route to.",
         "Set `net.ipv4.conf.<interface>.proxy_arp=0`.", _LIVE),
    # Other load balancers.
    Rule("HL050", _W, "OtherLoadBalancer", "Another load-balancer controller runs in the cluster",
         "Two controllers write the status of the same Services.",
         "Switch one off (K3s: `--disable=servicelb`), or divide the Services by `loadBalancerClass`.", _LIVE),
    Rule("HL051", _W, "StatusWrittenByOther", "Another controller writes status.loadBalancer",
         "The address changes back and forth.",
         "Find the manager that the message names and switch it off.", _LIVE),
    Rule("HL052", _I, "ForeignLoadBalancerClass", "A Service whose loadBalancerClass is not Herald's",
         "Herald ignores it completely.",
         "Remove the class, or start Herald with a matching `--lb-class`."),
    # Local traffic policy and shared addresses.
    Rule("HL060", _W, "NoEligibleLocalEndpoint", "Traffic policy Local, and no endpoint where it may be announced",
         "Nobody announces the address.",
         "Let the pods run on nodes that the advertisements select, or use `externalTrafficPolicy: Cluster`."),
    Rule("HL061", _W, "CannotShareAddress", "Two Services that cannot share an address although they are meant to",
         "The later one stays pending or gets an address of its own.",
         "Same `allow-shared-ip` key, different ports; with `Local` the same selector as well."),
    Rule("HL062", _I, "SharingKeyUsedOnce", "A sharing key that only one Service has",
         "Nothing is shared.",
         "Correct the key if a partner was meant."),
    Rule("HL063", _W, "SharedAddressWithServiceSelectors", "A shared address and L2 serviceSelectors",
         "Layer 2 does not announce it: two Services on one address could have different owners.",
         "Take `allow-shared-ip` off, or use an L2Advertisement without `serviceSelectors`."),
    Rule("HL064", _W, "UnknownAnnotation", "A metallb annotation that does not exist",
         "It has no effect.",
         "Use the name that the message suggests."),
    Rule("HL065", _W, "UnknownServiceType", "A Service of a type that does not exist",
         "The API server refuses it; Herald takes it for none of its own.",
         "Write `LoadBalancer`, with capital L and B."),
    # Peers.
    Rule("HL070", _W, "PeerNotOnLink", "An eBGP peer on no link of its nodes, and ebgpMultiHop is false",
         "The session stays in Active. Manifests do not tell the subnets, so only live facts can.",
         "Set `ebgpMultiHop: true`.", _LIVE),
    Rule("HL071", _W, "SourceAddressOnManyNodes", "One sourceAddress for several nodes",
         "Only the node that has the address can open the session.",
         "Use one BGPPeer per node with a `nodeSelectors` of its own, or leave `sourceAddress` out."),
    Rule("HL072", _E, "PasswordSecretUnusable", "The Secret with the password of a peer is missing or unusable",
         "The peer is left out; without the password the session would be refused or open to anybody.",
         "A Secret in Herald's namespace, type `kubernetes.io/basic-auth`, with a key `password` that is not empty."),
    Rule("HL073", _W, "PasswordInManifest", "A password in clear text in a BGPPeer",
         "Everybody who may read BGPPeers, or the repository of the manifests, knows it.",
         "Put it into a Secret and name that in `passwordSecret`."),
    Rule("HL074", _W, "DuplicatePeer", "Two BGPPeers mean the same session on a node",
         "There is one session, which goes by both names. Where the two disagree, the older one counts.",
         "Keep one of them, or give them `nodeSelectors` that do not meet."),
    Rule("HL075", _E, "MultihopOnIBGP", "ebgpMultiHop with peerASN equal to myASN",
         "The peer is left out.",
         "Leave `ebgpMultiHop` out for an iBGP session, or correct the ASN."),
    Rule("HL076", _I, "PeersDisagreeOnIdentity", "Peers of one node with different myASN or routerID",
         "Herald's own engine runs them side by side; the FRR backends can not. Different ASNs are often a mistake.",
         "Use one ASN and one router ID per node and VRF."),
    Rule("HL077", _E, "BFDProfileMissing", "A peer names a BFDProfile that is not there",
         "The peer is left out.",
         "Create the BFDProfile, correct the name, or use `default`, which is built in."),
    Rule("HL078", _W, "LocalPrefTowardEBGP", "localPref toward eBGP peers only",
         "It has no effect: LOCAL_PREF is sent to iBGP peers only (RFC 4271 §5.1.5).",
         "Use communities that the routers act upon, or `asPrepend`."),
    Rule("HL079", _W, "NonTransitiveTowardEBGP", "A community that eBGP peers do not get, toward such only",
         "It has no effect: one that is not transitive stays within the AS (RFC 4360 §6).",
         "Use one that is transitive, such as `extended:rt:A:B`."),
    # Selectors.
    Rule("HL080", _W, "SelectorMatchesNothing", "A selector that matches nothing",
         "What it is meant to select is not selected.",
         "Correct the selector or the labels."),
    Rule("HL081", _W, "RestrictionUndone", "A second advertisement undoes the restriction of the first",
         "Advertisements add up: nodes and interfaces that one leaves out come in by the other.",
         "Restrict both, or let them select different pools."),
    Rule("HL082", _W, "LabelMisspelt", "A selector matches nothing, and a similar label exists",
         "What it is meant to select is not selected.",
         "Use the label that the message suggests."),
    Rule("HL083", _W, "InterfaceMissing", "An interface of an advertisement is missing on a node that may announce",
         "If that node is elected, nobody answers.",
         "Select nodes that have the interface.", _LIVE),
    # What Services ask for.
    Rule("HL090", _W, "NoDualStackPool", "A Service needs both families and no pool has both",
         "It stays pending: both addresses come from one pool.",
         "Put the IPv4 and the IPv6 range into one pool."),
    Rule("HL091", _W, "NoAutoAssignPool", "No pool gives addresses by itself, and a Service asks for none",
         "It stays pending.",
         "Set `autoAssign: true` on a pool, or name a pool with `metallb.io/address-pool`."),
    Rule("HL092", _W, "RequestNotAllowed", "A Service asks for a pool or an address that it cannot have",
         "It stays pending.",
         "Ask for one that exists and admits the Service, or widen `serviceAllocation`."),
    Rule("HL093", _I, "PoolNearlyFull", "A pool is nearly full",
         "New Services will stay pending soon (from 80 %; a warning from 95 %).",
         "Add addresses."),
    Rule("HL094", _I, "PublicPoolOpenToAll", "A pool of public addresses that any namespace may use",
         "Whoever may create Services may take a public address, `autoAssign: false` or not.",
         "Pin the pool with `serviceAllocation`."),
    Rule("HL095", _I, "HostBitsSet", "A CIDR of a pool that names an address inside the prefix",
         "The whole prefix belongs to the pool, from its first address on.",
         "Write the prefix that the message names, or a range that begins at the address."),
    # Cheap extras.
    Rule("HL100", _W, "GossipBlocked", "Port 7946 is blocked between two nodes",
         "Each of them believes the other one dead, and both answer.",
         "Open 7946 TCP and UDP between all nodes.", _LIVE),
    Rule("HL101", _W, "AggregateAttractsForeign", "An aggregate wider than the pool's range",
         "Traffic for the other addresses of the prefix comes to the nodes as well.",
         "Use the aggregation length that the message names, or a pool that fills the prefix."),
    Rule("HL102", _E, "UnknownCommunityAlias", "A community that is neither a literal nor a known alias",
         "The BGPAdvertisement is left out.",
         "Write `A:B`, `large:A:B:C` or `extended:rt:A:B`, or define the alias in a Community."),
    Rule("HL103", _I, "DeprecatedAnnotation", "An annotation with the deprecated prefix metallb.universe.tf/",
         "It works.",
         "Use `metallb.io/`."),
    Rule("HL104", _W, "SpeakerCPULimit", "A CPU limit on the speaker",
         "Throttled speakers answer ARP seconds late and lose BGP sessions.",
         "Set a request and no limit.", _LIVE),
    Rule("HL105", _W, "PodSecurity", "The Pod Security level of Herald's namespace refuses the speaker",
         "No speaker runs.",
         "Label the namespace `pod-security.kubernetes.io/enforce: privileged`."),
    Rule("HL106", _W, "ConflictingAdvertisements", "Different localPref, asPrepend or med for one prefix and peer",
         "The highest localPref wins, then the fewest prepends, then the lowest med; communities are united.",
         "Give them the same values, or different peers, nodes or lengths."),
    Rule("HL107", _I, "SingleEndpoint", "A Service with one endpoint that can serve",
         "If its node fails, the Service is away until Kubernetes replaces the pod, however fast the address moves.",
         "Run at least two replicas on different nodes."),
    # Reading.
    Rule("HL200", _E, "UnreadableYAML", "A file that is not YAML",
         "Nothing of the document is read.", "Correct it at the line that the message names."),
    Rule("HL201", _E, "UnknownKind", "A metallb.io kind or version that does not exist",
         "The object is left out.", "Use one of the kinds that the message names."),
    Rule("HL202", _E, "SchemaViolation", "A value that the schema refuses",
         "The object is left out.", "Correct the field that the message names."),
    Rule("HL203", _W, "UnknownField", "A field that does not exist",
         "It has no effect: the API server drops it.", "Use the name that the message suggests."),
    Rule("HL204", _W, "DefinedTwice", "One object defined twice",
         "The later one counts.", "Remove one of them."),
    Rule("HL205", _E, "NotAnObject", "A document that is no Kubernetes object",
         "It is left out.", "Give it `apiVersion`, `kind` and `metadata.name`."),
    Rule("HL206", _I, "OtherDocument", "A document that is not meant as a Kubernetes object",
         "It is left out: Helm values, a chart, a list of tasks or patches may lie beside manifests.",
         "Nothing; or give it `apiVersion`, `kind` and `metadata.name` if it is meant as one."),
    Rule("HL207", _W, "LegacyConfiguration", "A ConfigMap with the configuration of MetalLB before 0.13",
         "It is not read.",
         "Write an IPAddressPool for each pool, an L2Advertisement or a BGPAdvertisement that names it, and a BGPPeer "
         "for each peer; then remove the ConfigMap."),
    Rule("HL208", _E, "UnreadableKind", "A kind of object that the API server does not let Herald read",
         "What was known of it stays in force; nothing new takes effect.",
         "Apply Herald's CRDs and its RBAC rules as the message says.", _LIVE),
    Rule("HL210", _I, "NoEffect", "A field that is accepted and has no effect",
         "It is as if it were not there.", "Nothing; or leave it out."),
    Rule("HL211", _I, "LastValidInForce", "An object that cannot be read any more",
         "Its last valid version stays in force.", "Correct what the error about the object names, or delete it."),
    # What makes a single object unusable.
    Rule("HL300", _E, "PoolWithoutAddresses", "A pool without addresses",
         "The pool is left out.", "Give it a CIDR or a range."),
    Rule("HL301", _E, "InvalidAddressRange", "An entry of a pool that is neither a CIDR nor a range",
         "The pool is left out.", "Write `10.0.0.0/24` or `10.0.0.1-10.0.0.9`."),
    Rule("HL302", _E, "PoolsOverlap", "Two pools, or two entries of one pool, have addresses in common",
         "The younger pool is left out.", "Take the common addresses out of one of them."),
    Rule("HL303", _E, "DuplicateEntry", "An entry that a list holds twice",
         "The object is left out, as MetalLB refuses it.", "Remove one of them."),
    Rule("HL304", _E, "InvalidSelector", "A label selector that Kubernetes would refuse",
         "The object is left out.", "Correct the key, operator or value that the message names."),
    Rule("HL310", _E, "SelectorsWithAggregation", "serviceSelectors together with an aggregation length",
         "The BGPAdvertisement is left out: an aggregate cannot tell Services apart.",
         "Announce /32 and /128, or select by pool."),
    Rule("HL311", _E, "InvalidAggregationLength", "An aggregation length out of bounds",
         "The BGPAdvertisement is left out.", "1 to 32 for IPv4, 1 to 128 for IPv6."),
    Rule("HL312", _E, "InvalidCommunity", "A community with a part that is no number or out of bounds",
         "The BGPAdvertisement is left out.",
         "Write `A:B`, 0–65535 each, `large:A:B:C`, 0–4294967295 each, or `extended:rt:A:B`, `extended:soo:A:B`."),
    Rule("HL313", _E, "InvalidPrepend", "asPrepend out of bounds",
         "The BGPAdvertisement is left out.", "`count` 1 to 10, `asn` 1 to 4294967295."),
    Rule("HL314", _E, "InvalidFailback", "failbackDelay that cannot be",
         "The L2Advertisement is left out; more than a week is only warned of.",
         "A duration above 0 such as `5m`, together with `failback: delay`."),
    Rule("HL320", _E, "InvalidAliasValue", "A community alias whose value is no community",
         "The Community is left out, with all its aliases.", "Write `A:B`, `large:A:B:C` or `extended:rt:A:B`."),
    Rule("HL321", _E, "AliasDefinedTwice", "A community alias that is defined twice",
         "The younger Community is left out, with all its aliases.", "Give one of them another name."),
    Rule("HL322", _W, "AliasNameWithColon", "A community alias with a colon in its name",
         "It can never be used: an entry with a colon is read as a literal.", "Use a name without a colon."),
    Rule("HL330", _E, "MissingLocalASN", "A peer without myASN",
         "The peer is left out.", "Set `myASN` to the AS number of the nodes."),
    Rule("HL331", _E, "InvalidPeerASN", "A peer with neither or both of peerASN and dynamicASN",
         "The peer is left out.", "Set exactly one; `dynamicASN` is `internal` or `external`."),
    Rule("HL332", _E, "InvalidPeerEndpoint", "A peer with neither or both of peerAddress and interface",
         "The peer is left out.", "Set exactly one."),
    Rule("HL333", _E, "InvalidTimers", "BGP timers that cannot be",
         "The peer is left out.", "A hold time of 0 or at least 3 s, and a keepalive time not above it."),
    Rule("HL334", _E, "InvalidAddress", "An address of a peer that is none",
         "The peer is left out.", "Write an IP address without a prefix length."),
    Rule("HL335", _E, "TwoPasswords", "A peer with both password and passwordSecret",
         "The peer is left out.", "Keep `passwordSecret`."),
    Rule("HL336", _W, "UnusableRouterID", "A routerID that is no BGP identifier",
         "It is not used; the node's own is sent.", "An IPv4 address other than 0.0.0.0 (RFC 6286)."),
    Rule("HL337", _W, "SourceOfOtherFamily", "A sourceAddress that the peer cannot be reached from",
         "It is not used; the kernel chooses the source.",
         "Use a source address of the family of `peerAddress`, and none with `interface`."),
    Rule("HL338", _E, "InvalidPassword", "A password or key that Linux cannot use",
         "The peer is left out.", "1 to 80 octets, for TCP MD5 (RFC 2385) and TCP-AO (RFC 5925) alike."),
    Rule("HL339", _E, "TTLSecurityWithMultihop", "ttlSecurity together with ebgpMultiHop",
         "The peer is left out.", "Keep `ttlSecurity` for a peer on the link, `ebgpMultiHop` for one beyond routers."),
    Rule("HL340", _E, "InvalidBFDProfile", "A BFDProfile with a value out of bounds",
         "The profile is left out, and the peers that name it.", "Use a value within the bounds."),
    Rule("HL341", _E, "TwoAuthentications", "tcpAO together with password or passwordSecret",
         "The peer is left out.", "Keep `tcpAO` where the router has TCP-AO, `passwordSecret` where it has TCP MD5."),
    Rule("HL342", _E, "RoleWithinAS", "A BGP role towards a peer of our own AS",
         "The peer is left out.", "Leave `role` out: RFC 9234 is about sessions between two ASes."),
)
# fmt: on

_BY_ID = {rule.id: rule for rule in RULES}


def rule(rule_id: str) -> Rule:
    """The row of `rule_id`; a KeyError is a mistake of ours."""
    return _BY_ID[rule_id]


def markdown() -> str:
    """`docs/lint-rules.md`, whole."""
    return "\n".join(_markdown_lines()) + "\n"


_PREFACE = (
    "Every finding of `herald lint` and `herald plan` carries one of these ids. An **error** means that the object is",
    "left out (or that its last valid version stays in force) while everything else applies. With a **warning** the",
    "object applies, with the consequence described; **info** is worth knowing. Rules marked *live cluster* need facts",
    "that manifests do not hold; offline nothing reports them.",
    "",
    "This page is printed from the table in `src/herald/config/rules.py` by `python -m herald.config.rules`.",
)


def _markdown_lines() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield from _PREFACE
    for row in RULES:
        yield ""
        yield f"## {row.id} · {row.title}"
        yield ""
        yield f"*{row.severity.value} · {row.scope.value} · {row.reason}*"
        yield ""
        yield f"{row.consequence} **Fix:** {row.fix}"


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
