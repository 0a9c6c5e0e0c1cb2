"""What a plain YAML scalar means in a Kubernetes manifest.

Kubernetes reads YAML 1.1 through go-yaml: `yes`, `on` and even `y` are booleans, but there are no base-60 integers
(`65000:10` is a string) and no dates.
"""

import re

_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NON_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(r"([-+]?)(?:0b([01_]+)|0x([0-9a-fA-F_]+)|0o?([0-7_]+)|(0|[1-9][0-9_]*))")
_BASES = (2, 16, 8, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 400
_TAG = "tag:yaml.org,2002:"

Scalar = bool | int | float | str | None


class ScalarError(ValueError):
    """A scalar that JSON has no value for."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar. Raises ScalarError."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NON_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a number that an object can hold")
    return _number(text)


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag such as `!!str`. Raises ScalarError."""
    match tag.removeprefix(_TAG):
        case "str" | "!" | "timestamp":
            return text
        case "null" | "bool" | "int" | "float":
            return resolve(text)
        case _:
            raise ScalarError(f"the tag {tag[:60]} has no meaning in a manifest")


def _number(text: str) -> Scalar:
    integer = _INTEGER.fullmatch(text)
    is_float = integer is None and _FLOAT.fullmatch(text) is not None
    if integer is None and not is_float:
        return text
    if len(text) > _LONGEST_NUMBER:
        raise ScalarError(f"a number of {len(text)} characters is too long; quote it if it is a text")
    if integer is None:
        return _finite(text)
    sign, *digits = integer.groups()
    magnitude = next(
        (int(d.replace("_", "") or "0", base) for d, base in zip(digits, _BASES, strict=True) if d is not None), 0
    )
    return -magnitude if sign == "-" else magnitude


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ScalarError(f"{text} is larger than a number can be")
    return value
