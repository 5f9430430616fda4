"""Settings with feature flags on or off, for programs without a collector that publishes feature flags."""

from collections.abc import Iterable, Mapping

from tickflag.common.errors import TickflagError
from tickflag.common.flags import BUILT_IN
from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader


def with_flags(settings: Settings, flags: Mapping[str, bool], traders: Iterable[Trader]) -> Settings:
    """The settings with these feature flags. Raises TickflagError for one that neither the engine nor a trader has."""
    known = dict.fromkeys([*BUILT_IN, *(name for trader in traders for name in trader.flags)])
    for name in flags:
        if name not in known:
            raise TickflagError(f"no feature flag {name!r}: known are {', '.join(known)}")
    return settings.model_copy(update={"flags": {**settings.flags, **flags}})
