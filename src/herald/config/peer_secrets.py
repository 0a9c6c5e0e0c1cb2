"""What proves a peer and us to each other: the password of TCP MD5, or the key of TCP-AO, from manifest or Secret.

One of the two at most: a connection is signed in one way. What is wrong with a Secret is said of the peer that names
it.
"""

from herald.api import bgp_peer as api
from herald.bgp.parameters import Algorithm, MasterKey, Password
from herald.cluster.meta import NamespacedName
from herald.cluster.secret import BASIC_AUTH, Secret
from herald.config.findings import Findings
from herald.config.nearest import suggestion
from herald.config.surroundings import Surroundings

PASSWORD_KEY = "password"  # noqa: S105  (the name of a key)
_LONGEST = 80  # TCP_MD5SIG_MAXKEYLEN and TCP_AO_MAXKEYLEN of Linux
_MD5, _AO = ("password", "TCP MD5"), ("key", "TCP-AO")


def secret_names(spec: api.BGPPeerSpec) -> tuple[str, ...]:
    """The Secrets that the peer needs."""
    names = (
        spec.password_secret.name if spec.password_secret else "",
        spec.tcp_ao.secret_ref.name if spec.tcp_ao else "",
    )
    return tuple(name for name in names if name)


def password(spec: api.BGPPeerSpec, found: Findings, around: Surroundings) -> Password | None:
    """The password of TCP MD5 (RFC 2385), or None: there is none, or `found` says what is wrong with it."""
    secret_name = spec.password_secret.name if spec.password_secret else ""
    if spec.password and secret_name:
        found.add(
            "HL335",
            "spec.passwordSecret",
            "can not have both password and secret ref set in peer config: keep passwordSecret",
        )
        return None
    if secret_name:
        text = _from_secret(secret_name, "spec.passwordSecret.name", found, around)
        return _checked(text, "spec.passwordSecret", _MD5, found) if text else None
    return _checked(spec.password, "spec.password", _MD5, found) if spec.password else None


def master_key(spec: api.BGPPeerSpec, found: Findings, around: Surroundings) -> MasterKey | None:
    """The key of TCP-AO (RFC 5925), or None: there is none, or `found` says what is wrong with it."""
    wanted = spec.tcp_ao
    if wanted is None:
        return None
    if spec.password or (spec.password_secret and spec.password_secret.name):
        other = "passwordSecret" if spec.password_secret and spec.password_secret.name else "password"
        found.add(
            "HL341",
            "spec.tcpAO",
            f"tcpAO and {other} exclude each other: a connection is signed by TCP-AO or by TCP MD5, never by both; "
            "keep what the router has",
        )
        return None
    text = _from_secret(wanted.secret_ref.name, "spec.tcpAO.secretRef.name", found, around)
    key = _checked(text, "spec.tcpAO.secretRef", _AO, found) if text else None
    return None if key is None else MasterKey(wanted.send_id, wanted.receive_id, Algorithm(wanted.algorithm), key)


def _checked(text: str, field: str, means: tuple[str, str], found: Findings) -> Password | None:
    octets, (what, protocol) = len(text.encode()), means
    if octets > _LONGEST:
        found.add("HL338", field, f"the {what} has {octets} octets; {protocol} takes {_LONGEST} at most on Linux")
        return None
    return Password(text)


def _from_secret(name: str, field: str, found: Findings, around: Surroundings) -> str | None:
    wanted = NamespacedName(around.namespace, name)
    secret = around.secrets.get(wanted)
    if not around.knows_secrets:
        return None
    if secret is None:
        _add_missing(wanted, field, found, around)
        return None
    if secret.type != BASIC_AUTH:
        found.add(
            "HL072",
            field,
            f'secret type mismatch on "{wanted.namespace}"/"{wanted.name}", type "{BASIC_AUTH}" is expected, '
            f'not "{secret.type}"',
        )
        return None
    return _value(secret, field, found)


def _value(secret: Secret, field: str, found: Findings) -> str | None:
    if secret.is_encrypted(PASSWORD_KEY):
        found.add(
            "HL072",
            field,
            f'Secret "{secret.key}": its key "{PASSWORD_KEY}" is encrypted by SOPS; give the Secret as '
            "`sops --decrypt` prints it",
        )
        return None
    try:
        text = secret.value(PASSWORD_KEY)
    except ValueError as error:
        found.add("HL072", field, f'Secret "{secret.key}": {error}')
        return None
    if not text:
        what = "is empty" if text == "" else "is missing"
        found.add(
            "HL072", field, f'password not specified in the secret "{secret.key}": its key "{PASSWORD_KEY}" {what}'
        )
    return text


def _add_missing(wanted: NamespacedName, field: str, found: Findings, around: Surroundings) -> None:
    here = [key.name for key in around.secrets if key.namespace == wanted.namespace]
    found.add(
        "HL072",
        field,
        f'secret ref not found: there is no Secret "{wanted.name}" in namespace {wanted.namespace}'
        f"{suggestion(wanted.name, here)}",
    )
    elsewhere = sorted(key.namespace for key in around.secrets if key.name == wanted.name)
    if elsewhere:
        found.add(
            "HL031",
            field,
            f'a Secret "{wanted.name}" is in namespace {elsewhere[0]}, where Herald does not look; '
            f"create it with -n {wanted.namespace}",
        )
