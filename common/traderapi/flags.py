"""Flags: the present values of a trader's own feature flags."""

from collections.abc import Mapping
from typing import NamedTuple


class FlagValue(NamedTuple):
    """The value of one feature flag for one trader."""

    on: bool
    arm: str | None = None
    """The arm of the experiment that the trader is in; None for none."""


def value_of(flags: Mapping[str, FlagValue], name: str) -> FlagValue:
    """The value of the feature flag `name`. Raises LookupError naming the declared ones."""
    found = flags.get(name)
    if found is None:
        known = f"it declares {', '.join(sorted(flags))}" if flags else "as in `flags={'use_ema': False}`"
        raise LookupError(f"feature flag {name!r} is not declared in the Trader: {known}")
    return found
