"""Absent symbols: what a trader names in `watch`, `exclude` and `references` and the market has not, with what is near.

The names of symbols are case-sensitive, so a name in other letters matches nothing.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from tickflag.common.traderapi import Trader
from tickflag.services.trader.evaluation.planning.watchlist import WatchList

SHOWN = 3  # names in a text


def absent_symbols(trader: Trader, names: Sequence[str], only_near: bool = False) -> str:
    """What the trader names that is not among `names`, the market's symbols, in one line; empty for nothing.

    Of patterns with wildcards, and with `only_near` of all, those are told that match in other letters. A pattern of
    `exclude` may well match nothing.
    """
    folded = {name.casefold(): name for name in names}
    told = []
    for field, patterns in (("watch", trader.watch), ("exclude", trader.exclude), ("references", trader.references)):
        absent = list(_absent(patterns, names, folded, only_near or field == "exclude", field == "references"))
        if absent:
            # Only those that are shown are compared with all names: that takes milliseconds each.
            shown = (did_you_mean(name, near or nearest(name, names)) for name, near in absent[:SHOWN])
            more = f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
            told.append(f"`{field}`: no symbol is named {', '.join(shown)}{more}")
    return "; ".join(told)


def nearest(name: str, names: Sequence[str]) -> str:
    """The symbol that differs in upper and lower case only, else the most similar one; empty where none is near."""
    same = next((one for one in names if one.casefold() == name.casefold()), "")
    return same or next(iter(difflib.get_close_matches(name, names, 1, 0.6)), "")


def did_you_mean(name: str, near: str) -> str:
    """The name, and what is near to it."""
    return f"{name} (did you mean {near}?)" if near else name


def _absent(
    patterns: Sequence[str], names: Sequence[str], folded: Mapping[str, str], only_near: bool, exact: bool
) -> Iterator[tuple[str, str]]:
    """The patterns that match none of `names`, each with what matches in other letters, where anything does; `exact`
    where the patterns are names."""
    known = set(names)
    for pattern in patterns:
        if pattern in known or (not exact and _matching(pattern, names)):
            continue
        if not exact and any(character in pattern for character in "*?["):
            near = next((one for one in (pattern.upper(), pattern.lower()) if _matching(one, names)), "")
            if near:
                yield pattern, near
            continue
        near = folded.get(pattern.casefold(), "")
        if near or not only_near:
            yield pattern, near


def _matching(pattern: str, names: Sequence[str]) -> bool:
    return any(map(WatchList([pattern], (), 0).wants, names))
