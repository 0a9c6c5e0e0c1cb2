"""The labels of status objects by which both who writes them and who looks after them find those of one node."""

from hashlib import sha256
from typing import Final

LABEL_NODE: Final = "metallb.io/node"
LONGEST_LABEL: Final = 63
DIGEST_DIGITS: Final = 10


def label_value(text: str) -> str:
    """`text` itself where a label can hold it; otherwise its beginning and a digest of all of it."""
    return shortened(text, LONGEST_LABEL)


def shortened(text: str, longest: int) -> str:
    """`text` in at most `longest` characters; what is cut away is kept as a digest."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - DIGEST_DIGITS - 1].rstrip('-.')}-{digest(text)}"


def digest(text: str, digits: int = DIGEST_DIGITS) -> str:
    """So many hexadecimal digits of its SHA-256."""
    return sha256(text.encode()).hexdigest()[:digits]
