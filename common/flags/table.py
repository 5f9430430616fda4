"""Tables: feature flags compiled for a process, so that asking for one is a look into a dict, or an array by slot."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from common.errors import MessageError
from common.flags.buckets import buckets
from common.flags.catalog import BUILT_IN, by_symbol
from common.flags.rules import Decision, Rule


def rules_of(features: Mapping[str, Any], declared: Mapping[str, bool] | None = None) -> dict[str, Rule]:
    """The rules in the control state, completed by the built-in flags and by those that a trader declares, with their
    defaults. Raises MessageError naming the flag at fault."""
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
    """Flag -> trader -> value, of the flags that go by trader; `owners` has the owner of each trader."""
    return {
        name: {trader: rule.decide(name, trader, owner).value for trader, owner in owners.items()}
        for name, rule in rules.items()
        if not by_symbol(name)
    }


class FlagTable:
    """One trader's flags, as of one control state. Never changes; a new state makes a new one."""

    def __init__(self, decisions: Mapping[str, Decision]) -> None:
        self.decisions = decisions
        self._values = {name: decision.value for name, decision in decisions.items()}

    @classmethod
    def of(
        cls, features: Mapping[str, Any], trader: str, owner: str = "", declared: Mapping[str, bool] | None = None
    ) -> Self:
        """From `Control.features`; {} gives the defaults. `declared` are the trader's own flags with their defaults.

        Raises MessageError for features that cannot be understood.
        """
        rules = rules_of(features, declared)
        return cls({name: rule.decide(name, trader, owner) for name, rule in rules.items() if not by_symbol(name)})

    def on(self, flag: str) -> bool:
        """Raises KeyError for a flag that nobody declared."""
        return self._values[flag]

    def arm(self, flag: str) -> str | None:
        """The arm of an experiment that the trader is in; None for none."""
        return self.decisions[flag].arm


class SymbolTable:
    """One flag that goes by symbol, as a byte a slot. One thread; for the process that follows the symbol table."""

    def __init__(self, flag: str) -> None:
        self._flag = flag
        self._rule = Rule(default=BUILT_IN[flag].default)
        self._slots: dict[str, int] = {}
        self._buckets: NDArray[np.int32] = np.zeros(0, np.int32)  # of the first slots; the others were not needed yet
        self.mask: NDArray[np.uint8] = np.zeros(0, np.uint8)
        """By slot, 1 where the flag is on. Another array after each `follow` and `extend`."""

    def follow(self, features: Mapping[str, Any]) -> None:
        """Take a new control state. Raises MessageError, and then stays as it was."""
        self._rule = rules_of(features)[self._flag]
        self.mask = self._values(0)

    def extend(self, names: Sequence[str]) -> None:
        """Take in the symbols behind those known; `names` has all, by slot."""
        known = len(self._slots)
        self._slots.update((name, slot) for slot, name in enumerate(names[known:], known))
        self.mask = np.concatenate((self.mask, self._values(known)))

    def begin_generation(self) -> None:
        """Slots begin anew."""
        self._slots = {}
        self._buckets, self.mask = self._buckets[:0], self.mask[:0]

    def _values(self, start: int) -> NDArray[np.uint8]:
        """Of the slots from `start` on."""
        rule, count = self._rule, len(self._slots)
        anybody = rule.decide(self._flag, "")
        if anybody.reason != "no identity":
            values = np.full(count - start, anybody.value, np.uint8)
        else:
            values = np.zeros(count - start, np.uint8)
            places = self._bucketed()[start:]
            for arm, first, end in rule.ranges():
                values[(places >= first) & (places < end)] = arm.value
        if not rule.killed:
            for name, value in rule.force.items():
                slot = self._slots.get(name, -1)
                if slot >= start:
                    values[slot - start] = value
        return values

    def _bucketed(self) -> NDArray[np.int32]:
        """The buckets of all slots: a symbol's is computed once, and only if a percentage asks for it."""
        known = len(self._buckets)
        if known < len(self._slots):
            fresh = buckets(self._flag, list(self._slots)[known:])
            self._buckets = np.concatenate((self._buckets, fresh))
        return self._buckets
