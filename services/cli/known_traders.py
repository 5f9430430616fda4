"""check_trader: refuses the name of a trader that nobody knows."""

from tickflag.common.errors import TickflagError
from tickflag.common.wire.requests import Ask


def check_trader(ask: Ask, trader: str) -> None:
    """Raises TickflagError with the traders there are, where the collector knows none of this name."""
    known = [one["name"] for one in ask("traders")]
    if not known:
        raise TickflagError(
            f"no trader {trader!r}: none is known yet: the engine is still starting, or runs no traders "
            "(see `tickflag status`)"
        )
    if trader not in known:
        raise TickflagError(f"no trader {trader!r}: known are {', '.join(known)}")
