"""Label selectors: what matches, what Kubernetes would refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.cluster.selector import LabelSelector, LabelSelectorError, LabelSelectorRequirement, matches_any


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(LabelSelectorRequirement(key=key, operator=operator, values=values),))


LABELS = {"rack": "a", "zone": "1", "empty": ""}
MATCHES = [
    ("empty selector", LabelSelector(), True),
    ("label", LabelSelector(match_labels={"rack": "a"}), True),
    ("label of another value", LabelSelector(match_labels={"rack": "b"}), False),
    ("label that is absent", LabelSelector(match_labels={"row": ""}), False),
    ("empty value", LabelSelector(match_labels={"empty": ""}), True),
    ("all labels needed", LabelSelector(match_labels={"rack": "a", "zone": "2"}), False),
    ("In", expression("rack", "In", "b", "a"), True),
    ("In, absent", expression("row", "In", "a"), False),
    ("NotIn", expression("rack", "NotIn", "b"), True),
    ("NotIn, listed", expression("rack", "NotIn", "a", "b"), False),
    ("NotIn, absent", expression("row", "NotIn", "a"), True),
    ("Exists", expression("empty", "Exists"), True),
    ("Exists, absent", expression("row", "Exists"), False),
    ("DoesNotExist", expression("row", "DoesNotExist"), True),
    ("DoesNotExist, present", expression("empty", "DoesNotExist"), False),
    (
        "labels and expressions",
        LabelSelector(
            match_labels={"rack": "a"},
            match_expressions=(LabelSelectorRequirement(key="zone", operator="NotIn", values=("1",)),),
        ),
        False,
    ),
]


@pytest.mark.parametrize(("selector", "expected"), [c[1:] for c in MATCHES], ids=[c[0] for c in MATCHES])
def test_a_selector_matches(selector: LabelSelector, expected: bool) -> None:
    selector.validate()
    assert selector.matches(LABELS) is expected


REFUSED = [
    (expression("rack", "in", "a"), "matchExpressions[0].operator", "use In, NotIn, Exists, DoesNotExist"),
    (expression("rack", "In"), "matchExpressions[0].values", "at least one value"),
    (expression("rack", "Exists", "a"), "matchExpressions[0].values", "takes no values"),
    (expression("ra ck", "Exists"), "matchExpressions[0].key", "invalid label key 'ra ck'"),
    (expression("/rack", "Exists"), "matchExpressions[0].key", "not a DNS subdomain"),
    (expression("a/b/rack", "Exists"), "matchExpressions[0].key", "not a DNS subdomain"),
    (expression("Example.com/rack", "Exists"), "matchExpressions[0].key", "not a DNS subdomain"),
    (expression("x" * 64, "Exists"), "matchExpressions[0].key", "invalid label key"),
    (expression("rack", "In", "a b"), "matchExpressions[0].values[0]", "invalid label value 'a b'"),
    (LabelSelector(match_labels={"rack": "-a"}), "matchLabels[rack]", "invalid label value '-a'"),
    (LabelSelector(match_labels={"": "a"}), "matchLabels", "invalid label key ''"),
    (LabelSelector(match_labels={"rack": "x" * 64}), "matchLabels[rack]", "invalid label value"),
]


@pytest.mark.parametrize(("selector", "field", "why"), REFUSED)
def test_a_selector_that_kubernetes_refuses_is_refused(selector: LabelSelector, field: str, why: str) -> None:
    with pytest.raises(LabelSelectorError) as raised:
        selector.validate()
    assert raised.value.field == field
    assert why in str(raised.value)


@pytest.mark.parametrize(
    "key", ["a", "A.b_c-d", "metallb.io/x", "x" * 63, "a.b-c.d/e", "node-role.kubernetes.io/control-plane"]
)
def test_good_label_keys_pass(key: str) -> None:
    expression(key, "Exists").validate()


def test_an_empty_list_of_selectors_answers_as_asked() -> None:
    assert matches_any((), LABELS, if_empty=True)
    assert not matches_any((), LABELS, if_empty=False)
    assert matches_any((expression("row", "Exists"), LabelSelector()), LABELS, if_empty=False)
    assert not matches_any((expression("row", "Exists"),), LABELS, if_empty=True)


def test_the_order_of_values_does_not_make_another_selector() -> None:
    assert expression("a", "In", "x", "y").canonical == expression("a", "In", "y", "x").canonical
    assert expression("a", "In", "x").canonical != expression("a", "NotIn", "x").canonical


def test_a_selector_reads_as_a_person_would_write_it() -> None:
    assert str(LabelSelector()) == "everything"
    both = LabelSelector(
        match_labels={"b": "2", "a": "1"}, match_expressions=expression("c", "In", "x").match_expressions
    )
    assert str(both) == "a=1, b=2, c In (x)"
    assert str(expression("c", "Exists")) == "c Exists"


maps = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)


@given(st.sampled_from("abc"), st.lists(st.sampled_from("12"), min_size=1, max_size=2), maps)
def test_an_operator_and_its_opposite_never_agree(key: str, values: list[str], labels: dict[str, str]) -> None:
    assert expression(key, "In", *values).matches(labels) != expression(key, "NotIn", *values).matches(labels)
    assert expression(key, "Exists").matches(labels) != expression(key, "DoesNotExist").matches(labels)


@given(maps, maps)
def test_equal_selectors_hash_alike(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = LabelSelector(match_labels=one), LabelSelector(match_labels=other)
    assert (a == b) == (one == other)
    if a == b:
        assert hash(a) == hash(b)
