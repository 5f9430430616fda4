"""FlagDesk: the feature flags that count now, in the control state, and the commands that change them.

flags.list                                       every flag, and what it is for each trader
flags.set       flag, value, arms, description   on or off for all, or a percentage; `new` for one that is not known
flags.force     flag, trader|owner|symbol, value on or off for one; null takes it back
flags.kill      flag, on                         off for everybody, whatever else is set
flags.ramp      flag, steps                      a percentage that grows: [percentage, seconds, needs approval], ...
flags.approve, flags.halt, flags.rollback        flag: of its ramp
flags.remove    flag                             take back all that was set
flags.explain   flag, name, owner                what it is for a trader or symbol, and why
flags.history   flag, limit                      who changed what and when, the newest first

All that change something take `who` as well.
"""

from collections.abc import Callable, Mapping
from typing import Any

from common.clock import Clock
from common.errors import TickflagError
from common.flags import BUILT_IN, Change, Document, Flag, Ramp, Rule, by_symbol, compiled, explained
from common.log import Logger
from services.collector.commands import Arguments
from services.collector.control import ControlState
from services.collector.effectiveflags import EffectiveFlags
from services.collector.flagsource import FlagSource, Wanted
from services.collector.flagstore import FlagStore
from services.collector.views import Views

DEFAULT_HISTORY = 100
RECOVERY = "recovery"  # who rolls back a ramp by itself
MAX_CHARACTERS = 1 << 20  # of the flags as JSON: all of them must fit into a control message

_WORDS = {
    "killed": "the kill switch is on",
    "setting": "it is set so by the setting `flags`",
    "forced": "it is forced for this {kind}",
    "owner": "it is forced for the owner",
    "percentage": "the percentage decides",
    "default": "that is the default",
}


class FlagDesk:
    """One thread. Between two commits, as all commands."""

    def __init__(
        self,
        store: FlagStore,
        views: Views,
        control: ControlState,
        clock: Clock,
        log: Logger,
        at_start: Mapping[str, bool],
        source: FlagSource | None = None,
    ) -> None:
        """`at_start` is the setting `flags`: it counts more than all that is stored, but the kill switch. `source`
        takes the place of what is stored. Raises TickflagError where `at_start` names no flag."""
        self._source = source
        self._source_trouble = ""
        self._told_revision = store.document.revision
        self._store = store
        self._views = views
        self._control = control
        self._clock = clock
        self._log = log
        self._at_start = at_start
        self._effective = EffectiveFlags(store, views, clock, at_start, source)
        self.rules: Mapping[str, Rule] = {}
        """Every flag's rule, as it counts now. Another object where any of them is another one."""
        self.commands: dict[str, Callable[[Arguments], Any]] = {
            "flags.list": self._list,
            "flags.set": self._set,
            "flags.force": self._force,
            "flags.kill": self._kill,
            "flags.ramp": self._ramp,
            "flags.approve": self._approve,
            "flags.halt": self._halt,
            "flags.rollback": self._roll_back,
            "flags.remove": self._remove,
            "flags.explain": self._explain,
            "flags.history": self._history,
        }
        self._tell_trouble()
        self.refresh()

    def refresh(self) -> None:
        """Time has passed: ramps go on, and somebody may have edited the file, or changed what the source says."""
        if self._source is not None:
            defaults = {name: self._effective.flag(name).default for name in self._effective.names()}
            self._source.ask(Wanted(defaults, self._effective.owners()))
            if self._source.trouble != self._source_trouble:
                self._source_trouble = self._source.trouble
                if self._source_trouble:
                    self._log.warning("feature flags", trouble=f"the provider: {self._source_trouble}")
                else:
                    self._log.info("the provider of feature flags answers")
        if self._store.refresh(self._now_ms()):
            self._log.info("feature flags read again", revision=self._document.revision)
            self._tell_trouble()
        self._publish()

    @property
    def _document(self) -> Document:
        return self._store.document

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // 1_000_000

    def roll_back_for(self, trader: str, reason: str) -> list[str]:
        """A trader fails: take back each ramp that is not done and that switched it over; gives these flags."""
        if self._source is not None:
            return []
        now_ms, owner, taken_back = self._now_ms(), self._effective.owners().get(trader, ""), []
        for name, flag in self._document.flags.items():
            stage = flag.stage(now_ms)
            if stage is None or stage.state == "done" or by_symbol(name):
                continue
            now, before = (one.decide(name, trader, owner) for one in (flag.rule_at(now_ms), flag.changed(ramp=None)))
            if now.reason == "percentage" and now.value != before.value:
                taken_back.append(name)
        for name in taken_back:
            try:
                self._put(name, self._document.flags[name].changed(ramp=None), f"{RECOVERY}: {reason}")
            except TickflagError as error:  # a full disk must not end what keeps the traders in order
                self._log.warning("ramp not rolled back", flag=name, trader=trader, reason=str(error))
            else:
                self._log.warning("ramp rolled back", flag=name, trader=trader, reason=reason)
        return taken_back

    def take_changes(self) -> list[Change]:
        """What was set since the last call, by whomever."""
        revision, self._told_revision = self._told_revision, self._document.revision
        return [change for change in self._document.history if change.revision > revision]

    def _publish(self) -> None:
        rules = self._effective.rules()
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

    @property
    def _trouble(self) -> str:
        if self._source is None:
            return self._store.trouble
        return f"the provider: {self._source.trouble}" if self._source.trouble else ""

    def _tell_trouble(self) -> None:
        if self._store.trouble:
            self._log.warning("feature flags", trouble=self._store.trouble)

    def _put(self, name: str, flag: Flag | None, who: str) -> dict[str, Any]:
        """Store one flag, or without it take it away; gives what it is then. Raises TickflagError where they come from
        a source."""
        if self._source is not None:
            raise TickflagError("the feature flags come from the provider that `collector.flag_provider` names")
        flags = dict(self._document.flags)
        if flag is None:
            flags.pop(name, None)
        else:
            flags[name] = flag
            if sum(len(one.model_dump_json()) for one in flags.values()) > MAX_CHARACTERS:
                raise TickflagError(f"all feature flags may take {MAX_CHARACTERS:,} characters: remove some")
        before = self._document.revision
        self._store.put(flags, who, self._now_ms())
        self._tell_trouble()
        if self._document.revision != before:
            self._log.info("feature flag changed", flag=name, who=who, revision=self._document.revision)
        self._publish()
        return {"revision": self._document.revision, "flag": None if flag is None else self._shown(name)}

    def _list(self, arguments: Arguments) -> dict[str, Any]:
        arguments.end()
        flags = [self._shown(name) for name in self._effective.names()]
        return {"revision": self._document.revision, "trouble": self._trouble, "flags": flags}

    def _set(self, arguments: Arguments) -> dict[str, Any]:
        name, who = arguments.text("flag"), arguments.who()
        new = arguments.switch("new", False)
        value, arms, description = (arguments.anything(field) for field in ("value", "arms", "description"))
        arguments.end()
        if not isinstance(description, str | None):
            raise TickflagError(f"flag {name!r}, field `description`: must be a text")
        if new and name in self._effective.names():
            raise TickflagError(f"feature flag {name!r} is known already")
        flag = Flag(default=False) if new else self._effective.flag(name)
        fields: dict[str, Any] = {} if value is None else {"ramp": None}
        if isinstance(value, bool):
            fields |= {"default": value, "percentage": None}
        elif isinstance(value, int | float):
            fields["percentage"] = value
        elif value is not None:  # a text that is a number would be taken for one
            raise TickflagError(f"flag {name!r}, field `percentage`: must be true, false or a number")
        fields |= {key: given for key, given in (("arms", arms), ("description", description)) if given is not None}
        if not fields and not new:
            raise TickflagError("'flags.set' needs one of the arguments value, arms and description")
        with explained(name):
            flag = flag.changed(**fields)
        return self._put(name, flag, who)

    def _force(self, arguments: Arguments) -> dict[str, Any]:
        name, who = arguments.text("flag"), arguments.who()
        flag = self._effective.flag(name)
        targets = {"symbol": "force"} if by_symbol(name) else {"trader": "force", "owner": "owners"}
        given = {kind: arguments.text(kind, "") for kind in targets}
        value = arguments.anything("value")
        arguments.end()
        chosen = [kind for kind in targets if given[kind]]
        if len(chosen) != 1:
            raise TickflagError(f"'flags.force' of {name!r} needs one of the arguments {' and '.join(targets)}")
        field = targets[chosen[0]]
        if value is not None and not isinstance(value, bool):  # 1 and "yes" would be taken for true
            raise TickflagError(f"flag {name!r}, field `{field}.{given[chosen[0]]}`: must be true, false or null")
        forced = {key: kept for key, kept in getattr(flag, field).items() if key != given[chosen[0]]}
        if value is not None:
            forced[given[chosen[0]]] = value
        with explained(name):
            flag = flag.changed(**{field: forced})
        return self._put(name, flag, who)

    def _kill(self, arguments: Arguments) -> dict[str, Any]:
        name, who = arguments.text("flag"), arguments.who()
        on = arguments.switch("on", True)
        arguments.end()
        return self._put(name, self._effective.flag(name).changed(killed=on), who)

    def _ramp(self, arguments: Arguments) -> dict[str, Any]:
        name, who = arguments.text("flag"), arguments.who()
        steps = arguments.anything("steps")
        arguments.end()
        now_ms = self._now_ms()
        flag = self._effective.flag(name)
        with explained(name):
            flag = flag.changed(percentage=flag.percentage_at(now_ms), ramp={"started_ms": now_ms, "steps": steps})
        return self._put(name, flag, who)

    def _approve(self, arguments: Arguments) -> dict[str, Any]:
        name, who, flag, ramp = self._ramping(arguments)
        if ramp.at(self._now_ms()).state != "waiting for approval":
            raise TickflagError(f"the ramp of {name!r} does not wait for an approval")
        moved = ramp.model_copy(update={"approved_ms": (*ramp.approved_ms, self._now_ms())})
        return self._put(name, flag.changed(ramp=moved.model_dump()), who)

    def _halt(self, arguments: Arguments) -> dict[str, Any]:
        name, who, flag, ramp = self._ramping(arguments)
        state = ramp.at(self._now_ms()).state
        if state in ("halted", "done"):
            raise TickflagError(f"the ramp of {name!r} is {state}")
        halted = ramp.model_copy(update={"halted_ms": self._now_ms()})
        return self._put(name, flag.changed(ramp=halted.model_dump()), who)

    def _roll_back(self, arguments: Arguments) -> dict[str, Any]:
        name, who, flag, _ = self._ramping(arguments)
        return self._put(name, flag.changed(ramp=None), who)

    def _remove(self, arguments: Arguments) -> dict[str, Any]:
        name, who = arguments.text("flag"), arguments.who()
        arguments.end()
        self._effective.flag(name)
        if name in self._at_start and name not in BUILT_IN:
            raise TickflagError(f"feature flag {name!r} is named by the setting `flags`")
        return self._put(name, None, who)

    def _explain(self, arguments: Arguments) -> dict[str, Any]:
        name = arguments.text("flag")
        flag = self._effective.flag(name)
        kind = "symbol" if by_symbol(name) else "trader"
        identity = arguments.text("name")
        owner = "" if by_symbol(name) else arguments.text("owner", self._effective.owners().get(identity, ""))
        arguments.end()
        rule = self._effective.rule(name)
        decision = rule.decide(name, identity, owner)
        reason = "setting" if name in self._at_start and not rule.killed else decision.reason
        return {
            "flag": name,
            "by": kind,
            "name": identity,
            "owner": owner,
            "value": decision.value,
            "reason": reason,
            "why": _WORDS[reason].format(kind=kind),
            "bucket": decision.bucket,
            "arm": decision.arm,
            "percentage": flag.percentage_at(self._now_ms()),
            "known": kind == "symbol" or identity in self._effective.owners(),
        }

    def _history(self, arguments: Arguments) -> list[dict[str, Any]]:
        name = arguments.text("flag", "")
        limit = arguments.number("limit", DEFAULT_HISTORY, 1)
        arguments.end()
        changes = [change for change in reversed(self._document.history) if name in ("", change.flag)]
        if name and not changes:
            self._effective.flag(name)  # one that was never changed, and not one that is not known
        return [change._asdict() for change in changes[:limit]]

    def _ramping(self, arguments: Arguments) -> tuple[str, str, Flag, Ramp]:
        name, who = arguments.text("flag"), arguments.who()
        arguments.end()
        flag = self._effective.flag(name)
        if flag.ramp is None:
            raise TickflagError(f"feature flag {name!r} has no ramp")
        return name, who, flag, flag.ramp

    def _shown(self, name: str) -> dict[str, Any]:
        flag, rule = self._effective.flag(name), self._effective.rule(name)
        stage = flag.stage(self._now_ms())
        built_in = BUILT_IN.get(name)
        ramp = None
        if flag.ramp is not None and stage is not None:
            ramp = stage._asdict() | {"steps": [list(step) for step in flag.ramp.steps]}
        return {
            "flag": name,
            "meaning": flag.description or (built_in.meaning if built_in else ""),
            "built_in": built_in is not None,
            "by": "symbol" if by_symbol(name) else "trader",
            "default": flag.default,
            "killed": flag.killed,
            "setting": self._at_start.get(name),
            "percentage": flag.percentage_at(self._now_ms()),
            "arms": [arm.model_dump() for arm in flag.arms],
            "force": flag.force,
            "owners": flag.owners,
            "ramp": ramp,
            "declared_by": self._effective.declarers(name),
            "traders": compiled({name: rule}, self._effective.owners()).get(name, {}),
        }
