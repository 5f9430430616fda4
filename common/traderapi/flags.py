"""Flags: a trader's own feature flags, as they count for it now."""

from collections.abc import Mapping
from typing import NamedTuple


class FlagValue(NamedTuple):
    """One flag, for one trader."""

    on: bool
    arm: str | None = None
    """The arm of an experiment that the trader is in."""


def value_of(flags: Mapping[str, FlagValue], name: str) -> FlagValue:
    """Raises LookupError naming those there are."""
    found = flags.get(name)
    if found is None:
        known = f"it declares {', '.join(sorted(flags))}" if flags else "as in `flags={'use_ema': False}`"
        raise LookupError(f"feature flag {name!r} is not declared in the Trader: {known}")
    return found
