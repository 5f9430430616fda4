"""Flagged: settings with feature flags on or off, where no collector tells of any."""

from collections.abc import Iterable, Mapping

from common.errors import TickflagError
from common.flags import BUILT_IN
from common.settings import Settings
from common.traderapi import Trader


def with_flags(settings: Settings, flags: Mapping[str, bool], traders: Iterable[Trader]) -> Settings:
    """The same with these flags. Raises TickflagError for one that is none of the engine's and of these traders'."""
    known = dict.fromkeys([*BUILT_IN, *(name for trader in traders for name in trader.flags)])
    for name in flags:
        if name not in known:
            raise TickflagError(f"no feature flag {name!r}: known are {', '.join(known)}")
    return settings.model_copy(update={"flags": {**settings.flags, **flags}})
