"""How the webhooks are run: MetalLB's flags of the controller, and what the server is called."""

from dataclasses import dataclass, field
from pathlib import Path

from herald.api.crd import WEBHOOK_SERVICE
from herald.config.compile import DEFAULT_NAMESPACE
from herald.observe.tls import TlsOptions

PORT = 9443
SECRET = "metallb-webhook-cert"  # noqa: S105  (the name of one)
CONFIGURATION = "metallb-webhook-configuration"
CONVERTED_CRD = "bgppeers.metallb.io"
CERT_DIR = Path("/tmp/k8s-webhook-server/serving-certs")  # noqa: S108  (MetalLB's own place; a mounted Secret)


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """`rotate` False (`--disable-cert-rotation`): the operator puts tls.crt and tls.key into `cert_dir` and writes the
    caBundle; otherwise the certificate is kept in `secret` and handed out from there, and `cert_dir` is not looked at.

    `extra_names` (`--cert-extra-names`) are further names and addresses of the server, for an API server that calls
    it by URL.
    """

    namespace: str = DEFAULT_NAMESPACE
    host: str = ""
    port: int = PORT
    secret: str = SECRET
    service: str = WEBHOOK_SERVICE
    configuration: str = CONFIGURATION
    cert_dir: Path = CERT_DIR
    rotate: bool = True
    extra_names: tuple[str, ...] = ()
    tls: TlsOptions = field(default_factory=TlsOptions)

    @property
    def names(self) -> tuple[str, ...]:
        """What the server certificate is for."""
        return (f"{self.service}.{self.namespace}.svc", *self.extra_names)
