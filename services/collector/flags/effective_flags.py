"""EffectiveFlags: which feature flags there are, and the rule of each that applies now.

The setting `flags` comes first, then a provider in the file's place, then what is stored, at the present step of its
ramp, then what traders declare. Only a kill switch overrides the setting.
"""

from collections.abc import Mapping

from tickflag.common.clock import Clock
from tickflag.common.errors import TickflagError
from tickflag.common.flags import Flag, Rule
from tickflag.common.settings import origin
from tickflag.common.units import NS_PER_MS
from tickflag.services.collector.flags.flag_store import FlagStore
from tickflag.services.collector.flags.provider_client import ProviderClient
from tickflag.services.collector.views.views import Views


class EffectiveFlags:
    """Changes nothing. One thread."""

    def __init__(
        self,
        store: FlagStore,
        views: Views,
        clock: Clock,
        at_start: Mapping[str, bool],
        provider: ProviderClient | None,
    ) -> None:
        """`at_start` is the setting `flags`. Raises TickflagError where it names an unknown feature flag."""
        self._store, self._views, self._clock = store, views, clock
        self._at_start, self._provider = at_start, provider
        for name in at_start:
            if name not in store.document.names():
                known = ", ".join(store.document.names())
                raise TickflagError(
                    f"setting `flags.{name}` ({origin(('flags', name))}): no such feature flag: known are {known}; "
                    f"a trader's own flag once it was set: `tickflag flags set {name} ...`"
                )

    def names(self) -> list[str]:
        """All feature flags: first the built-in ones, then the stored ones, then those that only traders declare."""
        return [*self._store.document.names(), *sorted(self.declared())]

    def rules(self) -> dict[str, Rule]:
        """Feature flag -> its rule.

        One that only traders declare is left out, unless the provider has a rule for it: a trader knows its default.
        """
        names = self._store.document.names()
        if self._provider is not None and self._provider.rules is not None:
            names += [name for name in self._provider.rules if name in self.declared()]
        return {name: self.rule(name) for name in names}

    def declared(self) -> dict[str, bool]:
        """The feature flags that traders declare and nobody has set yet, with their defaults. Of two traders that
        declare the same one, the first by name decides."""
        found: dict[str, bool] = {}
        for _, record in sorted(self._views.records.items(), reverse=True):
            if record.heartbeat is not None:
                found |= record.heartbeat.flags
        return {name: default for name, default in found.items() if name not in self._store.document.names()}

    def flag(self, name: str) -> Flag:
        """A feature flag that is stored, built in, or declared by a trader. Raises TickflagError, listing all."""
        declared = self.declared()
        if name in declared:
            return Flag(default=declared[name])
        if name not in self._store.document.names():
            known = ", ".join(self.names())
            raise TickflagError(f"no feature flag {name[:80]!r}: known are {known}")
        return self._store.document.flag(name)

    def rule(self, name: str) -> Rule:
        """The rule of one feature flag that applies now. Raises TickflagError as `flag` does."""
        rule = self.flag(name).rule_at(self._clock.wall_ns() // NS_PER_MS)
        if self._provider is not None and self._provider.rules is not None:
            rule = self._provider.rules.get(name, rule)
        return Rule(default=self._at_start[name], killed=rule.killed) if name in self._at_start else rule

    def setting(self, name: str) -> bool | None:
        """The value that the setting `flags` gives a feature flag; None where it gives none."""
        return self._at_start.get(name)

    def declarers(self, name: str) -> list[str]:
        """The traders that declare a feature flag as their own, sorted."""
        records = sorted(self._views.records.items())
        return [trader for trader, one in records if one.heartbeat is not None and name in one.heartbeat.flags]

    def owners(self) -> dict[str, str]:
        """Every trader that has reported, with its owner."""
        records = self._views.records.items()
        return {name: one.heartbeat.owner if one.heartbeat else "" for name, one in records}
