"""Feature flags compiled for a process: to ask for one is a look-up in a dict, or in an array by slot."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from tickflag.common.arrays import ByteMask, SmallIntegers
from tickflag.common.errors import MessageError
from tickflag.common.flags.buckets import buckets
from tickflag.common.flags.catalog import BUILT_IN, by_symbol
from tickflag.common.flags.rules import Decision, Rule


def rules_of(features: Mapping[str, Any], declared: Mapping[str, bool] | None = None) -> dict[str, Rule]:
    """Feature flag -> rule, as in the control state. Any other feature flag that is built in, or `declared` by a
    trader, gets its default. Raises MessageError, which names the feature flag at fault."""
    defaults = {name: known.default for name, known in BUILT_IN.items()} | dict(declared or {})
    rules = {name: Rule(default=default) for name, default in defaults.items() if name not in features}
    for name, content in features.items():
        try:
            rules[name] = Rule.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise MessageError(f"feature flag {name!r}: {where}: {first['msg']}") from None
    return rules


def compiled(rules: Mapping[str, Rule], owners: Mapping[str, str]) -> dict[str, dict[str, bool]]:
    """Feature flag -> trader -> value, of the feature flags by trader. `owners` holds the owner of each trader."""
    return {
        name: {trader: rule.decide(name, trader, owner).value for trader, owner in owners.items()}
        for name, rule in rules.items()
        if not by_symbol(name)
    }


class FlagTable:
    """One trader's feature flags, as of one control state. A new control state makes a new table."""

    def __init__(self, decisions: Mapping[str, Decision]) -> None:
        self.decisions = decisions
        self._values = {name: decision.value for name, decision in decisions.items()}

    @classmethod
    def of(
        cls, features: Mapping[str, Any], trader: str, owner: str = "", declared: Mapping[str, bool] | None = None
    ) -> Self:
        """The table of a trader. `features` come from the control message; {} gives the defaults. `declared` holds the
        trader's own feature flags with their defaults.

        Raises MessageError for `features` that are no valid rules.
        """
        rules = rules_of(features, declared)
        return cls({name: rule.decide(name, trader, owner) for name, rule in rules.items() if not by_symbol(name)})

    def on(self, flag: str) -> bool:
        """Whether the feature flag is on. Raises KeyError for an unknown one."""
        return self._values[flag]

    def arm(self, flag: str) -> str | None:
        """The arm of the feature flag that the trader is in; None where it is in none."""
        return self.decisions[flag].arm


class SymbolFlagTable:
    """A feature flag by symbol, as one byte a slot. One thread. For a process that follows the symbol table."""

    def __init__(self, flag: str) -> None:
        self._flag = flag
        self._rule = Rule(default=BUILT_IN[flag].default)
        self._slots: dict[str, int] = {}
        self._buckets: SmallIntegers = np.zeros(0, np.int32)  # of the first slots; nobody needed the others yet
        self.mask: ByteMask = np.zeros(0, np.uint8)
        """By slot: 1 where the feature flag is on. Each `follow` and `extend` makes a new array."""

    def follow(self, features: Mapping[str, Any]) -> None:
        """Apply the `features` of a new control state. Where this raises MessageError, nothing has changed."""
        self._rule = rules_of(features)[self._flag]
        self.mask = self._values(0)

    def extend(self, names: Sequence[str]) -> None:
        """Add the symbols that are new. `names` holds all symbols, by slot."""
        known = len(self._slots)
        self._slots.update((name, slot) for slot, name in enumerate(names[known:], known))
        self.mask = np.concatenate((self.mask, self._values(known)))

    def begin_generation(self) -> None:
        """Forget all symbols, as a new generation gives out the slots anew."""
        self._slots = {}
        self._buckets, self.mask = self._buckets[:0], self.mask[:0]

    def _values(self, start: int) -> ByteMask:
        """The values of the slots from `start` on."""
        rule, count = self._rule, len(self._slots)
        anybody = rule.decide(self._flag, "")
        if anybody.reason != "no identity":
            values = np.full(count - start, anybody.value, np.uint8)
        else:
            values = np.zeros(count - start, np.uint8)
            places = self._slot_buckets()[start:]
            for arm, first, end in rule.ranges():
                values[(places >= first) & (places < end)] = arm.value
        if not rule.killed:
            for name, value in rule.force.items():
                slot = self._slots.get(name, -1)
                if slot >= start:
                    values[slot - start] = value
        return values

    def _slot_buckets(self) -> SmallIntegers:
        """The buckets of all slots. The bucket of a symbol is computed once, and only if a percentage needs it."""
        known = len(self._buckets)
        if known < len(self._slots):
            fresh = buckets(self._flag, list(self._slots)[known:])
            self._buckets = np.concatenate((self._buckets, fresh))
        return self._buckets
