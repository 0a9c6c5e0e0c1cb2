import pytest
from bgp_wires import as_paths, asns
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import as_path
from herald.bgp.as_path import AS_TRANS, AsPath, AsPathError, Segment, SegmentType

SET, SEQUENCE, CONFED = SegmentType.AS_SET, SegmentType.AS_SEQUENCE, SegmentType.AS_CONFED_SEQUENCE
WIRES = [
    ("empty", AsPath(), 4, ""),
    ("one-wide", as_path.sequence((64500,)), 4, "02010000fbf4"),
    ("one-narrow", as_path.sequence((64500,)), 2, "0201fbf4"),
    ("set", AsPath((Segment(SEQUENCE, (1,)), Segment(SET, (2, 3)))), 2, "02010001" + "010200020003"),
]


@pytest.mark.parametrize(("path", "width", "wire"), [row[1:] for row in WIRES], ids=[row[0] for row in WIRES])
def test_a_path_and_its_octets(path, width, wire):
    assert as_path.encode(path, width).hex() == wire
    assert as_path.decode(bytes.fromhex(wire), width) == path


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("05010000fbf4", "segment type 5 is unknown"),
        ("00010000fbf4", "segment type 0 is unknown"),
        ("0200", "a segment without ASNs"),
        ("02020000fbf4", "a segment of 2 ASNs is cut off by 4 octets"),
        ("02010000fbf402", "one octet is left over"),
    ],
)
def test_a_malformed_path_is_refused(wire, words):
    with pytest.raises(AsPathError, match=words):
        as_path.decode(bytes.fromhex(wire), 4)


def test_a_long_path_is_cut_into_segments_of_255():
    path = as_path.sequence(tuple(range(1, 301)))
    assert [len(segment.asns) for segment in path.segments] == [255, 45]
    assert as_path.decode(as_path.encode(path, 4), 4) == path


def test_a_wide_asn_towards_a_narrow_peer_is_as_trans():
    path = as_path.sequence((4200000001, 64500))
    assert as_path.needs_as4_path(path)
    assert as_path.decode(as_path.encode(path, 2), 2).asns == (AS_TRANS, 64500)


@pytest.mark.parametrize(
    ("path", "as4", "true"),
    [
        ((1, AS_TRANS, 2), (4200000001, 2), (1, 4200000001, 2)),
        ((AS_TRANS,), (4200000001,), (4200000001,)),
        ((1, 2), (7, 8, 9), (1, 2)),
        ((1, 2), (), (1, 2)),
    ],
    ids=["narrow-as-in-front", "whole", "as4-path-longer-is-ignored", "no-as4-path"],
)
def test_the_true_path_is_put_together_again(path, as4, true):
    assert as_path.merge(as_path.sequence(path), as_path.sequence(as4)).asns == true


def test_merging_counts_a_set_as_one_and_keeps_confederation_segments_in_front():
    path = AsPath((Segment(CONFED, (65001,)), Segment(SET, (5, 6)), Segment(SEQUENCE, (AS_TRANS, 2))))
    assert path.length == 3
    merged = as_path.merge(path, as_path.sequence((4200000001, 2)))
    assert merged.segments == (*path.segments[:2], Segment(SEQUENCE, (4200000001, 2)))


def test_a_path_of_more_segments_than_anybody_has_is_malformed():
    one = b"\x02\x01\0\0\xfb\xf5"
    assert len(as_path.decode(one * as_path.MOST_SEGMENTS, 4).segments) == as_path.MOST_SEGMENTS
    with pytest.raises(as_path.AsPathError, match="more than 256 segments"):
        as_path.decode(one * (as_path.MOST_SEGMENTS + 1), 4)


@given(as_paths)
def test_a_path_comes_back_as_it_went(path):
    assert as_path.decode(as_path.encode(path, 4), 4) == path


@given(st.lists(asns, max_size=300).map(tuple))
def test_a_path_through_a_narrow_peer_comes_back_as_it_went(numbers):
    path = as_path.sequence(numbers)
    assert as_path.merge(as_path.decode(as_path.encode(path, 2), 2), path).asns == numbers


@given(st.binary(max_size=100), st.sampled_from((2, 4)))
def test_fuzz_any_octets_are_a_path_or_a_path_error(data, width):
    try:
        path = as_path.decode(data, width)
    except AsPathError:
        return
    assert as_path.encode(path, width) == data


@given(as_paths, as_paths)
def test_fuzz_any_two_paths_merge(path, as4):
    assert as_path.merge(path, as4).length >= min(path.length, as4.length)
