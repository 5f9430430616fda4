"""The feature flags that the engine itself has; traders may declare more."""

from typing import Annotated, Final, NamedTuple

from pydantic import StringConstraints

FLAG_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
FlagName = Annotated[str, StringConstraints(pattern=FLAG_PATTERN)]
"""Lower-case letters, digits and `_`, so that it can be part of the name of an environment variable."""

SYMBOL_RATE_LIMIT: Final = "symbol_rate_limit"


class BuiltIn(NamedTuple):
    default: bool
    meaning: str
    by_symbol: bool = False
    """True where the identities are symbols; otherwise they are traders."""


BUILT_IN: dict[str, BuiltIn] = {
    "per_symbol_tracking": BuiltIn(True, "Process only the changed symbols; off: all of them in every cycle."),
    "delta_results": BuiltIn(True, "Send what changed; off: the whole match set."),
    "batch_mode": BuiltIn(True, "Evaluate large cycles in chunks; off: in one go."),
    "result_compression": BuiltIn(True, "Compress large results."),
    SYMBOL_RATE_LIMIT: BuiltIn(True, "Limit how often a symbol is announced; off: always at once.", by_symbol=True),
    "audit": BuiltIn(True, "Evaluate a sample of the cycles both ways and compare."),
}


def by_symbol(flag: str) -> bool:
    """True where the feature flag's identities are symbols, which have no owners."""
    return flag in BUILT_IN and BUILT_IN[flag].by_symbol
