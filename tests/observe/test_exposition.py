"""What a page of metrics looks like, read by the parsers of the Prometheus client."""

import asyncio

import pytest
from prometheus_client import openmetrics, parser
from prometheus_client.openmetrics import parser as open_parser

from herald.observe.exposition import Family, Format, Kind, Page, Sample, single, wanted_format, write

ODD = Family("metallb_layer2_requests_received", Kind.COUNTER, "Requests.", ("ip",))
GAUGE = Family("metallb_allocator_addresses_total", Kind.GAUGE, 'Back\\slash and "quotes".', ("pool",))
EMPTY = Family("nothing", Kind.GAUGE, "No samples.", ("x",))
USUAL = Family("herald_things_total", Kind.COUNTER, "Things.")
HOSTILE = 'a"b\\c\nd'
PAGE: Page = (
    (ODD, (Sample(("192.0.2.1",), 3),)),
    (GAUGE, (Sample((HOSTILE,), 2**63 - 1),)),
    (EMPTY, ()),
    (USUAL, single(True)),
)


async def test_the_text_format_has_every_name_and_type_as_it_is() -> None:
    text = (await write(PAGE, Format.TEXT)).decode()
    assert text.splitlines()[:3] == [
        "# HELP metallb_layer2_requests_received Requests.",
        "# TYPE metallb_layer2_requests_received counter",
        'metallb_layer2_requests_received{ip="192.0.2.1"} 3',
    ]
    found = {sample.name: sample for family in parser.text_string_to_metric_families(text) for sample in family.samples}
    assert found["metallb_allocator_addresses_total"].labels == {"pool": HOSTILE}
    assert found["herald_things_total"].value == 1
    assert "nothing" not in text


async def test_openmetrics_keeps_the_names_and_ends_as_it_must() -> None:
    text = (await write(PAGE, Format.OPENMETRICS)).decode()
    families = {family.name: family for family in open_parser.text_string_to_metric_families(text)}
    assert families["metallb_layer2_requests_received"].type == "unknown"
    assert families["herald_things"].type == "counter"
    names = {sample.name for family in families.values() for sample in family.samples}
    assert names == {"metallb_layer2_requests_received", "metallb_allocator_addresses_total", "herald_things_total"}
    assert text.endswith("# EOF\n")
    assert openmetrics.exposition.CONTENT_TYPE_LATEST.split(";")[0] == Format.OPENMETRICS.value.split(";")[0]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/plain", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format.OPENMETRICS,
        ),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.3", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=many", Format.TEXT),
    ],
)
def test_a_scraper_gets_what_it_likes_best(accept: str, form: Format) -> None:
    assert wanted_format(accept) is form


async def test_other_work_goes_on_while_a_long_page_is_written() -> None:
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other_work())
    page = ((ODD, (Sample((str(number),), number) for number in range(10_000))),)
    assert (await write(page, Format.TEXT)).count(b"\n") == 10_002
    task.cancel()
    assert turns >= 40
