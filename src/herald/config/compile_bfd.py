"""BFDProfiles → profiles, with the bounds checked and the defaults filled in."""

from herald.api import bfd_profile as api
from herald.bfd.profile import DEFAULT, BFDProfile
from herald.config.findings import Findings

_INTERVAL_MS = (10, 60000)
_BOUNDS = {
    "receiveInterval": _INTERVAL_MS,
    "transmitInterval": _INTERVAL_MS,
    "detectMultiplier": (2, 255),
    "echoInterval": _INTERVAL_MS,
    "minimumTtl": (1, 254),
}


def compile_bfd_profile(resource: api.BFDProfile, found: Findings) -> BFDProfile | None:
    """The profile, or None with a finding for each value out of bounds."""
    spec = resource.spec
    profile = BFDProfile(
        name=resource.metadata.name,
        receive_interval_ms=_or_default(spec.receive_interval, DEFAULT.receive_interval_ms),
        transmit_interval_ms=_or_default(spec.transmit_interval, DEFAULT.transmit_interval_ms),
        detect_multiplier=_or_default(spec.detect_multiplier, DEFAULT.detect_multiplier),
        echo_interval_ms=_or_default(spec.echo_interval, DEFAULT.echo_interval_ms),
        echo_mode=spec.echo_mode,
        passive_mode=spec.passive_mode,
        minimum_ttl=_or_default(spec.minimum_ttl, DEFAULT.minimum_ttl),
    )
    values = (
        profile.receive_interval_ms,
        profile.transmit_interval_ms,
        profile.detect_multiplier,
        profile.echo_interval_ms,
        profile.minimum_ttl,
    )
    for value, (field, (lowest, highest)) in zip(values, _BOUNDS.items(), strict=True):
        if not lowest <= value <= highest:
            found.add("HL340", f"spec.{field}", f"invalid value {value}, must be in {lowest}-{highest} range")
    return None if found.fatal else profile


def _or_default(value: int | None, default: int) -> int:
    return default if value is None else value
