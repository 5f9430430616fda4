"""EffectiveFlags: which feature flags there are, and the rule of each that counts now.

setting `flags` > a provider in the file's place > what is stored, as far as its ramp is > what traders declare
"""

from collections.abc import Mapping

from common.clock import Clock
from common.errors import TickflagError
from common.flags import Flag, Rule
from common.settings import origin
from services.collector.flagsource import FlagSource
from services.collector.flagstore import FlagStore
from services.collector.views import Views


class EffectiveFlags:
    """Reads, and changes nothing. One thread. Raises TickflagError where `at_start`, the setting, names no flag."""

    def __init__(
        self, store: FlagStore, views: Views, clock: Clock, at_start: Mapping[str, bool], source: FlagSource | None
    ) -> None:
        self._store, self._views, self._clock, self._at_start, self._source = store, views, clock, at_start, source
        for name in at_start:
            if name not in store.document.names():
                known = ", ".join(store.document.names())
                raise TickflagError(
                    f"setting `flags.{name}` ({origin(('flags', name))}): no such feature flag: known are {known}; "
                    f"a trader's own flag once it was set: `tickflag flags set {name} ...`"
                )

    def names(self) -> list[str]:
        """The built-in ones first, those that traders declare last."""
        return [*self._store.document.names(), *sorted(self.declared())]

    def rules(self) -> dict[str, Rule]:
        """Of all but those that only traders declare: they know the default themselves."""
        names = self._store.document.names()
        if self._source is not None and self._source.rules is not None:
            names += [name for name in self._source.rules if name in self.declared()]
        return {name: self.rule(name) for name in names}

    def declared(self) -> dict[str, bool]:
        """Flags of traders that nobody set yet, with their defaults; of two, that of the first by name counts."""
        found: dict[str, bool] = {}
        for _, known in sorted(self._views.known.items(), reverse=True):
            if known.heartbeat is not None:
                found |= known.heartbeat.flags
        return {name: default for name, default in found.items() if name not in self._store.document.names()}

    def flag(self, name: str) -> Flag:
        """One that is set, built in, or declared by a trader. Raises TickflagError naming those there are."""
        declared = self.declared()
        if name in declared:
            return Flag(default=declared[name])
        if name not in self._store.document.names():
            known = ", ".join(self.names())
            raise TickflagError(f"no feature flag {name[:80]!r}: known are {known}")
        return self._store.document.flag(name)

    def rule(self, name: str) -> Rule:
        """That of one flag. Raises as `flag`."""
        rule = self.flag(name).rule_at(self._clock.wall_ns() // 1_000_000)
        if self._source is not None and self._source.rules is not None:
            rule = self._source.rules.get(name, rule)
        return Rule(default=self._at_start[name], killed=rule.killed) if name in self._at_start else rule

    def declarers(self, name: str) -> list[str]:
        """The traders that declare a flag as their own."""
        known = sorted(self._views.known.items())
        return [trader for trader, one in known if one.heartbeat is not None and name in one.heartbeat.flags]

    def owners(self) -> dict[str, str]:
        """Every trader that reported, with its owner."""
        known = self._views.known.items()
        return {name: one.heartbeat.owner if one.heartbeat else "" for name, one in known}
