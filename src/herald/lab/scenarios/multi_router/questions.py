"""What the how-to with multiple upstream routers tells its reader to ask the cluster and the speakers."""

from herald.lab import checks, kubectl_checks
from herald.lab.proof import Check
from herald.lab.scenarios.multi_router.plan import CRITICAL, NODES, PINNED, PREVIEW, ROUTERS
from herald.lab.walk import Walk

Asked = tuple[str, str, str, Check]
"""What a line of the how-to is to show: the claim, the line, what is expected, the check."""

PEER_COLUMNS = "NAME:.metadata.name,ASN:.spec.myASN,PEER:.spec.peerAddress"
COLUMNS = "NAMESPACE:.metadata.namespace,NAME:.metadata.name,EXTERNAL-IP:.status.loadBalancer.ingress[0].ip"
EXTERNAL = {"critical-service": CRITICAL, "pinned-service": PINNED, "preview": PREVIEW}
MONITORING: tuple[Asked, ...] = (
    (
        "the controller's log is there",
        "kubectl logs -n metallb-system -l component=controller",
        "lines",
        checks.finds_lines,
    ),
    (
        "each peer tells how many of its sessions are up",
        "kubectl get bgppeers -n metallb-system",
        "router-1 3/3",
        kubectl_checks.column("SESSIONS", {"router-1": "3/3"}),
    ),
    (
        "the advertisements are listed",
        "kubectl get bgpadvertisements -n metallb-system",
        "those that were applied",
        kubectl_checks.names(("filtered-advertisement", "prepend-advertisement", "ecmp-advertisement")),
    ),
    (
        "and the services with their addresses",
        "kubectl get svc -A -o wide | grep LoadBalancer",
        CRITICAL,
        kubectl_checks.says(CRITICAL, PINNED, PREVIEW),
    ),
    (
        "monitoring script: BGP peers",
        f"kubectl get bgppeers -n metallb-system -o custom-columns={PEER_COLUMNS}",
        "addresses of all routers",
        kubectl_checks.column("PEER", ROUTERS),
    ),
    (
        "monitoring script: active services",
        f"kubectl get svc -A --field-selector spec.type=LoadBalancer -o custom-columns={COLUMNS}",
        "addresses of all services",
        kubectl_checks.column("EXTERNAL-IP", EXTERNAL),
    ),
    (
        "monitoring script: pools",
        'kubectl get ipaddresspools -n metallb-system -o yaml | grep -A 2 "addresses:"',
        "192.168.1.240-192.168.1.250",
        kubectl_checks.says("192.168.1.240-192.168.1.250", "192.168.2.240-192.168.2.250"),
    ),
    (
        "monitoring script: events",
        "kubectl get events -n metallb-system --sort-by='.lastTimestamp' | grep -i bgp | tail -10",
        "a session that is up",
        kubectl_checks.says("BGPSessionUp"),
    ),
)
TROUBLESHOOTING: tuple[Asked, ...] = (
    (
        "the controller's log speaks of BGP",
        'kubectl logs -n metallb-system -l component=controller | grep -i "bgp"',
        "a line",
        checks.finds_lines,
    ),
    (
        "the router is reachable from the controller",
        "kubectl exec -n metallb-system deploy/controller -- ping -c 3 192.168.1.1",
        "no packet lost",
        kubectl_checks.says("0% packet loss"),
    ),
    (
        "describe shows the peer, and how its sessions are",
        "kubectl describe bgppeer -n metallb-system router-1",
        "Sessions: 3/3",
        kubectl_checks.says("Sessions: 3/3", "Peer Address: 192.168.1.1"),
    ),
    (
        "vtysh in the controller shows all routes",
        'kubectl exec -n metallb-system deploy/controller -- vtysh -c "show ip bgp"',
        f"{CRITICAL}/32",
        kubectl_checks.says(f"{CRITICAL}/32", f"{PINNED}/32"),
    ),
    (
        "vtysh in a speaker those of its node",
        'kubectl exec -n metallb-system ds/speaker -- vtysh -c "show ip bgp"',
        f"{CRITICAL}/32",
        kubectl_checks.says(f"{CRITICAL}/32"),
    ),
    (
        "the speakers' log tells what they announce",
        'kubectl logs -n metallb-system -l component=speaker | grep "announcing"',
        "a line",
        checks.finds_lines,
    ),
)


async def installed(walk: Walk) -> None:
    walk.step("Installing", "Herald's own manifests; its names are MetalLB's.")
    pods = dict.fromkeys(("controller-0", *(f"speaker-{node}" for node in NODES)), "Running")
    running = kubectl_checks.column("STATUS", pods)
    await walk.asked("all pods run", "kubectl get pods -n metallb-system", "Running", running)
    kinds = ("bgppeers.metallb.io", "ipaddresspools.metallb.io", "bgpadvertisements.metallb.io")
    await walk.asked("the kinds are there", "kubectl get crd | grep metallb", "CRDs", kubectl_checks.says(*kinds))


async def monitoring(walk: Walk) -> None:
    walk.step("Monitoring BGP sessions")
    for router in ROUTERS:
        summary = walk.lab.show("node-1", "bgp", "summary")
        check = checks.speaks_with(router)
        await walk.claim(f"node-1 tells of {router}", summary, f"{router} Established", check)
    await walk.logged("the speakers' log tells what is announced", "announcing")
    await walk.logged("and of sessions", "bgp session")
    for title, line, expected, check in MONITORING:
        await walk.asked(title, line, expected, check)


async def troubleshooting(walk: Walk) -> None:
    walk.step("Troubleshooting BGP issues")
    for title, line, expected, check in TROUBLESHOOTING:
        await walk.asked(title, line, expected, check)
