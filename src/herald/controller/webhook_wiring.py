"""The webhooks of a controller process: their options from its own, their world from its feed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from herald.controller.webhook.options import WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.server import run_webhooks
from herald.controller.webhook.world import World
from herald.observe.tls import TlsOptions

if TYPE_CHECKING:
    from herald.controller.in_cluster import Replica


async def run_webhooks_of(replica: Replica) -> None:
    """For ever. Raises TlsOptionError and OSError."""
    given, feed = replica.given, replica.feed
    tls = TlsOptions.parse(given.tls_min_version, given.tls_cipher_suites, given.tls_curve_preferences)
    options = WebhookOptions(
        namespace=given.namespace,
        port=given.webhook_port,
        secret=given.webhook_secret,
        service=given.cert_service_name,
        cert_dir=given.cert_dir,
        rotate=not given.disable_cert_rotation,
        extra_names=tuple(filter(None, given.cert_extra_names.split(","))),
        tls=tls,
    )

    def world() -> World:
        resources = replace(feed.cache.resources(), services=tuple(feed.cache.services.values()))
        return World(
            resources,
            given.namespace,
            load_balancer_class=given.lb_class or None,
            is_complete=feed.cache.is_complete,
        )

    readiness = Readiness()
    replica.checks["webhooks"] = readiness.ready
    await run_webhooks(options, replica.client, world, readiness)
