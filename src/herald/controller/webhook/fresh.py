"""Objects read from the API server at the moment of a request, where a cache would let two of a kind through.

MetalLB reads everything anew for every request. Only three refusals need that: pools that overlap, aliases of one name
(both written a moment after each other, as `kubectl apply` of one file does), and a BFDProfile that is in use. What is
merely missing (yet) is looked for a second time in the caches, see `app`.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import msgspec

from herald.api import decode as api_decode
from herald.api import scheme
from herald.controller.webhook.admission_review import AdmissionRequest
from herald.controller.webhook.world import World
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient
from herald.store.store import StoreError

LONGEST_WAIT_S = 2.0

_log = logging.getLogger("herald.controller.webhook")


async def refreshed(world: World, request: AdmissionRequest, client: ApiClient) -> World:
    """`world` with what `request` may be refused for read anew. If the API server does not answer, as it was."""
    match request.kind.kind, request.operation:
        case "IPAddressPool", "CREATE" | "UPDATE":
            kind, field = "IPAddressPool", "ip_address_pools"
        case "Community", "CREATE" | "UPDATE":
            kind, field = "Community", "communities"
        case "BFDProfile", "DELETE":
            kind, field = "BGPPeer", "bgp_peers"
        case _:
            return world
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            found = await _listed(client, kind, world.namespace)
    except (StoreError, TimeoutError) as error:
        _log.warning("%ss cannot be read, the cache counts: %s", kind, error, extra={"op": "webhook"})
        return world
    changed: dict[str, Any] = {field: tuple(found)}
    return replace(world, resources=replace(world.resources, **changed))


async def _listed(client: ApiClient, name: str, namespace: str) -> list[Any]:
    kind = next(each for each in scheme.KINDS if each.kind == name)
    path = f"/apis/{kind.api_version}/namespaces/{namespace}/{kind.plural}"
    items = read_answer(await client.get(path), _List, path).items
    whole = ({**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items)
    decoded = (api_decode.decode(each, "the API server").object for each in whole)
    return [each for each in decoded if each is not None]


class _List(msgspec.Struct, frozen=True):
    items: list[dict[str, Any]] = []
