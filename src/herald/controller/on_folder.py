"""The controller on a folder of manifests, with metrics and probes where they are asked for."""

from pathlib import Path

from herald.controller.assigner import Assigner, Options
from herald.controller.loop import Controller, Hearing
from herald.observe import serving
from herald.observe.controller_metrics import ControllerMetrics
from herald.observe.serving import ServingOptions
from herald.observe.store_metrics import StoreCounts
from herald.store.directory import Access, DirectoryStore
from herald.store.store import Changes


async def run(directory: Path, options: Options, wanted: ServingOptions) -> None:
    """Assign addresses for ever. Raises StoreError only if the claims cannot be read at the start."""
    counts = StoreCounts()

    def heard(batch: Changes) -> None:
        counts.took(len(batch.objects) + len(getattr(batch, "deleted", ())), complete=batch.complete)

    store = DirectoryStore(directory, Access.KEEP, heard)
    assigner = Assigner(options, await store.read_claims())
    metrics = ControllerMetrics(lambda: assigner.allocator, counts)
    hearing = Hearing(lambda: counts.configured(assigner.problems), counts.failed, metrics.refused)
    controller = Controller(store, assigner, hearing=hearing)
    async with serving.serving(
        wanted,
        name="controller",
        render=metrics.render,
        checks={"folder": lambda: None if counts.loaded else "the folder has not been read yet"},
        health_host=serving.LOOPBACK,
    ):
        await controller.run()
