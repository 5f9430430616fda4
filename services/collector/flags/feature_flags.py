"""FeatureFlags: puts the rules that apply now into the control state, and makes every change to feature flags.

What operators set is stored; a provider in the file's place allows no changes. Ramps advance by themselves. Where a
trader fails that a ramp has switched over, the ramp is rolled back.
"""

from collections.abc import Mapping

from tickflag.common.clock import Clock
from tickflag.common.errors import TickflagError
from tickflag.common.flags import BUILT_IN, Flag, FlagDocument, Rule, by_symbol, in_words
from tickflag.common.log import Logger
from tickflag.common.units import NS_PER_MS
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.flags.effective_flags import EffectiveFlags
from tickflag.services.collector.flags.flag_store import FlagStore
from tickflag.services.collector.flags.provider_client import ProviderClient, ProviderQuery
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.views.views import Views

RECOVERY = "recovery"
"""Who rolls back a ramp where no operator does."""
MAX_CHARACTERS = 1 << 20  # of the flags as JSON: all of them must fit into a control message


class FeatureFlags:
    """One thread."""

    def __init__(
        self,
        store: FlagStore,
        views: Views,
        notices: NoticeQueue,
        control: ControlState,
        clock: Clock,
        log: Logger,
        at_start: Mapping[str, bool],
        provider: ProviderClient | None = None,
    ) -> None:
        """`at_start` is the setting `flags`. It overrides everything that is stored, except the kill switch. A
        `provider` takes the place of what is stored. Raises TickflagError where `at_start` names an unknown
        feature flag."""
        self._store, self._notices, self._control, self._clock, self._log = store, notices, control, clock, log
        self._provider = provider
        self._provider_trouble = ""
        self._told_revision = store.document.revision
        self.effective = EffectiveFlags(store, views, clock, at_start, provider)
        """To be read only."""
        self.rules: Mapping[str, Rule] = {}
        """Feature flag -> the rule that applies now. A change of any rule makes a new object."""
        self._log_store_trouble()
        self.refresh()

    @property
    def document(self) -> FlagDocument:
        """The feature flags as they are stored."""
        return self._store.document

    @property
    def trouble(self) -> str:
        """What is wrong with the file or the provider; empty where all is well."""
        if self._provider is None:
            return self._store.trouble
        return f"the provider: {self._provider.trouble}" if self._provider.trouble else ""

    def refresh(self) -> None:
        """Apply what changed without a command: ramps advance with time, somebody may have edited the file, and the
        provider may answer differently."""
        if self._provider is not None:
            defaults = {name: self.effective.flag(name).default for name in self.effective.names()}
            self._provider.ask(ProviderQuery(defaults, self.effective.owners()))
            if self._provider.trouble != self._provider_trouble:
                self._provider_trouble = self._provider.trouble
                if self._provider_trouble:
                    self._log.warning("feature flags", trouble=f"the provider: {self._provider_trouble}")
                else:
                    self._log.info("the provider of feature flags answers")
        if self._store.refresh(self._now_ms()):
            self._log.info("feature flags read again", revision=self.document.revision)
            self._log_store_trouble()
        self._update_control()

    def put(self, name: str, flag: Flag | None, who: str) -> None:
        """Store one feature flag; without `flag`, take back all that was set. Raises TickflagError where the flags come
        from a provider, or cannot be stored."""
        if self._provider is not None:
            raise TickflagError("the feature flags come from the provider that `collector.flag_provider` names")
        flags = dict(self.document.flags)
        if flag is None:
            flags.pop(name, None)
        else:
            flags[name] = flag
            if sum(len(one.model_dump_json()) for one in flags.values()) > MAX_CHARACTERS:
                raise TickflagError(f"all feature flags may take {MAX_CHARACTERS:,} characters: remove some")
        before = self.document.revision
        self._store.put(flags, who, self._now_ms())
        self._log_store_trouble()
        if self.document.revision != before:
            self._log.info("feature flag changed", flag=name, who=who, revision=self.document.revision)
        self._update_control()

    def roll_back_for(self, trader: str, reason: str) -> list[str]:
        """Roll back every ramp that is not done and has switched over the failing `trader`; gives the feature flags of
        these ramps."""
        if self._provider is not None:
            return []
        now_ms, owner, rolled_back = self._now_ms(), self.effective.owners().get(trader, ""), []
        for name, flag in self.document.flags.items():
            stage = flag.stage(now_ms)
            if stage is None or stage.state == "done" or by_symbol(name):
                continue
            now, before = (one.decide(name, trader, owner) for one in (flag.rule_at(now_ms), flag.changed(ramp=None)))
            if now.reason == "percentage" and now.value != before.value:
                rolled_back.append(name)
        for name in rolled_back:
            try:
                self.put(name, self.document.flags[name].changed(ramp=None), f"{RECOVERY}: {reason}")
            except TickflagError as error:  # recovery must go on even where the disk is full
                self._log.warning("ramp not rolled back", flag=name, trader=trader, reason=str(error))
            else:
                self._log.warning("ramp rolled back", flag=name, trader=trader, reason=reason)
        return rolled_back

    def queue_notices(self) -> None:
        """Queue a notice of each change since the last call, whoever made the change."""
        revision, self._told_revision = self._told_revision, self.document.revision
        if revision == self.document.revision:
            return
        for change in self.document.history:
            if change.revision > revision:
                before, after = (
                    f"{change.flag}, {change.field}: {in_words(change.field, value) or 'nothing'}"
                    for value in (change.before, change.after)
                )
                self._notices.add("feature flag", before, after, change.who)

    def _update_control(self) -> None:
        rules = self.effective.rules()
        if rules == self.rules:
            return
        self.rules = rules
        self._control.set_features(
            {
                name: rule.model_dump(mode="json", exclude_defaults=True)
                for name, rule in rules.items()
                if name not in BUILT_IN or rule != Rule(default=BUILT_IN[name].default)
            }
        )

    def _log_store_trouble(self) -> None:
        if self._store.trouble:
            self._log.warning("feature flags", trouble=self._store.trouble)

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS
