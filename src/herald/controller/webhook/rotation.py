"""Keeps the certificate of the webhooks valid, and the API server trusting it.

Round after round, at start, whenever the Secret, the webhook configuration or the CRD changes, and twice a day:

    Secret ──examine──▶ step ──issue──▶ Secret       until there is nothing to be done
    ca.crt ──▶ caBundle of the webhook configuration and of the CRD's conversion, where it is another one
    tls.crt, tls.key ──▶ the server

In this order: no certificate is served whose CA has not been handed out. Replicas do not fight: the Secret is written
with the version that was read, and whoever comes second reads again and finds nothing left to do. If their clocks are
hours apart, each finds the other's certificates out of time: so none renews for that reason twice within `CALM_S`.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from herald.controller.webhook.certificates import CA_CERT, CERT, KEY, Step, examine, issue, united
from herald.controller.webhook.options import CONVERTED_CRD, WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.tls import CertificateError
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient, ApiError, Params, PatchKind
from herald.store.store import StoreError

RECHECK_S = 12 * 3600.0
WATCH_S = 300
"""So long a watch lasts; every new one begins with a look at the object."""
SPREAD_S = 2.0
"""So long a new CA may take to reach every API server before a certificate of it is served."""
PAUSE_S = 1.0
"""Between two rounds, so that somebody who takes the caBundle out again and again costs little."""
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0
MOST_ATTEMPTS = 10
CALM_S = 600.0

_log = logging.getLogger("herald.controller.webhook")

Install = Callable[[bytes, bytes], Awaitable[None]]
"""Serve this certificate with this key. Raises CertificateError."""


async def keep_certificates(
    client: ApiClient,
    options: WebhookOptions,
    install: Install,
    readiness: Readiness,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Run for ever. `readiness` says from the first full round on that certificate and caBundle are in place."""
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for path, name in _watched(options):
            tasks.create_task(_watch(client, path, name, changed))
        await _Keeper(client, options, install, readiness, now).run(changed)


class _Keeper:
    """The rounds, and which certificate is served."""

    def __init__(
        self,
        client: ApiClient,
        options: WebhookOptions,
        install: Install,
        readiness: Readiness,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._options = options
        self._install = install
        self._readiness = readiness
        self._now = now
        self._served: tuple[bytes, bytes] | None = None
        self._trusted = b""  # the CA of what is served
        self._calm_until = 0.0

    async def run(self, changed: asyncio.Event) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            changed.clear()
            try:
                await self._round()
                wait_s, retry_s = RECHECK_S, FIRST_RETRY_S
            except (StoreError, CertificateError) as error:
                _log.error("webhook certificate: %s", error, extra={"op": "certRotation"})
                self._readiness.certificates_missing(str(error))
                wait_s, retry_s = retry_s, min(2 * retry_s, LONGEST_RETRY_S)
            await _set_within(changed, wait_s)
            await asyncio.sleep(PAUSE_S)

    async def _round(self) -> None:
        data = await self._settled()
        served = (data[CERT], data[KEY])
        if served != self._served:
            await self._change(served, data[CA_CERT])
        await _inject(self._client, self._options, data[CA_CERT])
        self._readiness.certificates_in_place()

    async def _settled(self) -> Mapping[str, bytes]:
        """The Secret's content once nothing is left to be done about it. Raises StoreError."""
        client, options = self._client, self._options
        for _ in range(MOST_ATTEMPTS):
            stored = await _read_secret(client, options)
            data = _content(stored)
            verdict = examine(data, options.names, self._now())
            if verdict.step is Step.KEEP or (verdict.by_clock and monotonic() < self._calm_until):
                return data
            # The CA may have been taken out while its certificates are served.
            known = data if data.get(CA_CERT) else {**data, CA_CERT: self._trusted}
            wanted = issue(verdict.step, known, options.names, self._now())
            try:
                await _write_secret(client, options, stored, wanted)
            except ApiError as error:
                if error.status != _CONFLICT:
                    raise
                continue  # Another replica was first: look at what it wrote.
            if verdict.by_clock:
                self._calm_until = monotonic() + CALM_S
            text = "webhook certificate: %s"
            _log.info(text, verdict.step.value, extra={"op": "certRotation", "reason": verdict.why})
        raise StoreError(f"Secret {options.namespace}/{options.secret} is changed by somebody else all the time")

    async def _change(self, served: tuple[bytes, bytes], bundle: bytes) -> None:
        """Serve another certificate, both being trusted meanwhile."""
        await _inject(self._client, self._options, united(bundle, self._trusted))
        if self._served is not None:
            await asyncio.sleep(SPREAD_S)
        await self._install(*served)
        self._served, self._trusted = served, bundle
        _log.info("webhook certificate is served", extra={"op": "certRotation", "secret": self._options.secret})


_CONFLICT, _NOT_FOUND, _UNPROCESSABLE = 409, 404, 422


def _secrets(options: WebhookOptions) -> str:
    return f"/api/v1/namespaces/{options.namespace}/secrets"


async def _read_secret(client: ApiClient, options: WebhookOptions) -> dict[str, Any] | None:
    return await _read(client, f"{_secrets(options)}/{options.secret}")


async def _read(client: ApiClient, path: str) -> dict[str, Any] | None:
    """The object, or None if there is none."""
    try:
        return read_answer(await client.get(path), dict[str, Any], path)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return None
        raise


def _content(secret: Mapping[str, Any] | None) -> dict[str, bytes]:
    """What is in it; what is not base64 counts as not there."""
    found = {}
    for name, text in ((secret or {}).get("data") or {}).items():
        try:
            found[name] = base64.b64decode(text, validate=True)
        except ValueError:
            continue
    return found


async def _write_secret(
    client: ApiClient, options: WebhookOptions, stored: dict[str, Any] | None, content: Mapping[str, bytes]
) -> None:
    data = {name: base64.b64encode(value).decode() for name, value in content.items()}
    if stored is not None:
        # With the resourceVersion that was read: only one of two replicas gets through.
        await client.replace(f"{_secrets(options)}/{options.secret}", {**stored, "data": data})
        return
    metadata = {"name": options.secret, "namespace": options.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
    await client.create(_secrets(options), secret)


async def _inject(client: ApiClient, options: WebhookOptions, bundle: bytes) -> None:
    """Hand out the CA wherever another one, or none, is named."""
    text = base64.b64encode(bundle).decode()
    await _inject_into(
        client, f"{_CONFIGURATIONS}/{options.configuration}", lambda found: _stale_hooks(found, text), text
    )
    await _inject_into(client, f"{_CRDS}/{CONVERTED_CRD}", lambda found: _stale_conversion(found, text), text)


_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _stale_hooks(configuration: Mapping[str, Any], bundle: str) -> list[str]:
    hooks = configuration.get("webhooks") or ()
    return [
        f"/webhooks/{index}/clientConfig/caBundle"
        for index, hook in enumerate(hooks)
        if hook["clientConfig"].get("caBundle") != bundle
    ]


def _stale_conversion(crd: Mapping[str, Any], bundle: str) -> list[str]:
    """Nothing where the CRD is served without the conversion webhook."""
    conversion = crd["spec"].get("conversion") or {}
    client_config = (conversion.get("webhook") or {}).get("clientConfig")
    if client_config is None or client_config.get("caBundle") == bundle:
        return []
    return ["/spec/conversion/webhook/clientConfig/caBundle"]


async def _inject_into(
    client: ApiClient, path: str, stale: Callable[[Mapping[str, Any]], list[str]], bundle: str
) -> None:
    refused = ""
    for _ in range(MOST_ATTEMPTS):
        found = await _read(client, path)
        if found is None:
            return  # Installed without it; when it comes, the watch tells.
        places = stale(found)
        if not places:
            return
        version = found["metadata"]["resourceVersion"]
        operations = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            *({"op": "add", "path": place, "value": bundle} for place in places),
        ]
        try:
            await client.patch(path, operations, kind=PatchKind.JSON)
        except ApiError as error:
            if error.status not in (_CONFLICT, _UNPROCESSABLE):
                raise
            refused = str(error)
            continue  # Somebody else wrote in between.
        _log.info("caBundle written", extra={"op": "certRotation", "object": path.rpartition("/")[2]})
        return
    raise StoreError(f"{path}: the caBundle cannot be written: {refused}")


def _watched(options: WebhookOptions) -> tuple[tuple[str, str], ...]:
    return (
        (_secrets(options), options.secret),
        (_CONFIGURATIONS, options.configuration),
        (_CRDS, CONVERTED_CRD),
    )


async def _watch(client: ApiClient, path: str, name: str, changed: asyncio.Event) -> None:
    """Set `changed` whenever the object may be another one. What it is, the round reads for itself."""
    params: Params = {"watch": True, "fieldSelector": f"metadata.name={name}", "timeoutSeconds": WATCH_S}
    pause_s, complained = FIRST_RETRY_S, ""
    while True:
        try:
            async with client.stream(path, params, silence_s=WATCH_S + 30.0) as parts:
                pause_s, complained = FIRST_RETRY_S, ""
                async for _ in parts:
                    changed.set()
        except StoreError as error:
            if str(error) != complained:
                complained = str(error)
                _log.warning("%s cannot be watched: %s", name, error, extra={"op": "certRotation"})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)
        changed.set()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
