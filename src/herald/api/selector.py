"""Lists of label selectors as the custom resources have them."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from herald.cluster.selector import LabelSelector

Selector: TypeAlias = Annotated[LabelSelector, Meta(extra_json_schema={"x-kubernetes-map-type": "atomic"})]
Selectors: TypeAlias = tuple[Selector, ...]
