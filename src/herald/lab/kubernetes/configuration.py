"""How kube-apiserver of a test cluster is set up: its flags, its certificates, its port."""

import random
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from herald.lab.kubernetes import kubeconfig
from herald.lab.kubernetes.certificates import Authority, private_pem
from herald.lab.kubernetes.client import in_namespace
from herald.lab.kubernetes.etcd import CLIENTS
from herald.lab.kubernetes.kubeconfig import Endpoint

LOOPBACK = ("127.0.0.1", "::1")
SERVICE_RANGES = ("10.96.0.0/16", "fd00:10:96::/112")
SERVICE_ADDRESSES = ("10.96.0.1", "fd00:10:96::1")
"""What the Service `kubernetes` may get."""

NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ISSUER = "https://kubernetes.default.svc.cluster.local"
PORTS = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, so that a port stays free while nobody listens."""


def flags(address: str, port: int) -> dict[str, str]:
    """kube-apiserver's flags, without the dashes. Paths are relative to the folder that `write_credentials` filled."""
    return {
        "etcd-servers": CLIENTS,
        "bind-address": address,
        "advertise-address": address,
        # Endpoints of the Service `kubernetes` may not be loopback addresses, so then there are none.
        "endpoint-reconciler-type": "none" if address in LOOPBACK else "lease",
        "secure-port": str(port),
        "tls-cert-file": "server.crt",
        "tls-private-key-file": "server.key",
        "client-ca-file": "ca.crt",
        "authorization-mode": "Node,RBAC",
        "allow-privileged": "true",
        "service-account-issuer": ISSUER,
        "service-account-key-file": "service-account.key",
        "service-account-signing-key-file": "service-account.key",
        "service-cluster-ip-range": ",".join(SERVICE_RANGES),
        "profiling": "false",
    }


def write_credentials(folder: Path, authority: Authority, endpoint: Endpoint, names: Sequence[str]) -> ssl.SSLContext:
    """Write what the flags name, and `admin.kubeconfig`; the administrator's TLS settings."""
    everybody = dict.fromkeys((*NAMES, *LOOPBACK, *SERVICE_ADDRESSES, *names))
    server = authority.server("kube-apiserver", everybody)
    admin = authority.client("admin", ["system:masters"])
    files = {
        "ca.crt": authority.certificate,
        "server.crt": server.certificate,
        "server.key": server.key,
        "admin.crt": admin.certificate,
        "admin.key": admin.key,
        "service-account.key": private_pem(ec.generate_private_key(ec.SECP256R1())),
    }
    for name, content in files.items():
        kubeconfig.write(folder / name, content.decode())
    kubeconfig.write(folder / "admin.kubeconfig", kubeconfig.with_certificate(endpoint, admin))
    tls = ssl.create_default_context(cadata=authority.certificate.decode())
    tls.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    return tls


def free_port(address: str, namespace: str | None) -> int:
    """A port on which nobody listens. Chosen at random, so that two who choose at once seldom choose the same."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in random.sample(PORTS, 100):
        with in_namespace(namespace, lambda: socket.socket(family, socket.SOCK_STREAM)) as probe:
            # As Go listens: connections that have just ended do not keep a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                refusal = error
            else:
                return port
    raise refusal
