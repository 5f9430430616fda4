"""FlagCommands: what operators ask of the feature flags, and how they change them.

flags.list                                       every flag, and what it is for each trader
flags.set       flag, value, arms, description   on or off for all, or a percentage; `new` makes a new one
flags.force     flag, trader|owner|symbol, value on or off for one; null takes it back
flags.kill      flag, on                         off for everybody, whatever else is set
flags.ramp      flag, steps                      a percentage that grows: [percentage, seconds, needs approval], ...
flags.approve, flags.halt, flags.rollback        flag: approve, halt or roll back its ramp
flags.remove    flag                             take back all that was set
flags.explain   flag, name, owner                what it is for a trader or symbol, and why
flags.history   flag, limit                      who changed what and when, the newest first

Each command that changes something takes `who` as well.
"""

from typing import Any

from tickflag.common.clock import Clock
from tickflag.common.errors import TickflagError
from tickflag.common.flags import BUILT_IN, Flag, Ramp, by_symbol, compiled, explained
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.arguments import Arguments, Command
from tickflag.services.collector.flags.feature_flags import FeatureFlags

DEFAULT_HISTORY = 100

_REASONS = {
    "killed": "the kill switch is on",
    "setting": "it is set so by the setting `flags`",
    "forced": "it is forced for this {kind}",
    "owner": "it is forced for the owner",
    "percentage": "the percentage decides",
    "no identity": "without a name there is no percentage to decide by",
    "default": "that is the default",
}


class FlagCommands:
    """The commands run between two commits. One thread."""

    def __init__(self, flags: FeatureFlags, clock: Clock) -> None:
        self._flags, self._clock = flags, clock
        self._effective = flags.effective
        self.commands: dict[str, Command] = {
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

    def _list(self, arguments: Arguments) -> dict[str, Any]:
        arguments.end()
        flags = [self._summary(name) for name in self._effective.names()]
        return {"revision": self._flags.document.revision, "trouble": self._flags.trouble, "flags": flags}

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
        stage, present = flag.stage(now_ms), flag.percentage_at(now_ms)
        ramp: dict[str, Any] = {"started_ms": now_ms, "steps": steps}
        with explained(name):
            if stage is None or stage.state == "done":
                flag = flag.changed(percentage=present, ramp=ramp)
            else:  # its roll-back takes the present ramp back as well
                flag = flag.changed(ramp=ramp | {"from_percentage": present})
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
        if self._effective.setting(name) is not None and name not in BUILT_IN:
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
        reason = "setting" if self._effective.setting(name) is not None and not rule.killed else decision.reason
        return {
            "flag": name,
            "by": kind,
            "name": identity,
            "owner": owner,
            "value": decision.value,
            "reason": reason,
            "why": _REASONS[reason].format(kind=kind),
            "bucket": decision.bucket,
            "arm": decision.arm,
            "percentage": flag.percentage_at(self._now_ms()),
            "known": kind == "symbol" or identity in self._effective.owners(),
        }

    def _history(self, arguments: Arguments) -> list[dict[str, Any]]:
        name = arguments.text("flag", "")
        limit = arguments.number("limit", DEFAULT_HISTORY, 1)
        arguments.end()
        changes = [change for change in reversed(self._flags.document.history) if name in ("", change.flag)]
        if name and not changes:
            self._effective.flag(name)  # raises for an unknown one; one that was never changed is fine
        return [change._asdict() for change in changes[:limit]]

    def _put(self, name: str, flag: Flag | None, who: str) -> dict[str, Any]:
        """Store one feature flag, or without `flag` take back all that was set; gives its summary afterwards."""
        self._flags.put(name, flag, who)
        return {"revision": self._flags.document.revision, "flag": None if flag is None else self._summary(name)}

    def _ramping(self, arguments: Arguments) -> tuple[str, str, Flag, Ramp]:
        """Name, `who`, flag and ramp of a command that needs a ramp and takes no other argument."""
        name, who = arguments.text("flag"), arguments.who()
        arguments.end()
        flag = self._effective.flag(name)
        if flag.ramp is None:
            raise TickflagError(f"feature flag {name!r} has no ramp")
        return name, who, flag, flag.ramp

    def _summary(self, name: str) -> dict[str, Any]:
        """Everything about a feature flag, for operators."""
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
            "setting": self._effective.setting(name),
            "percentage": flag.percentage_at(self._now_ms()),
            "arms": [arm.model_dump() for arm in flag.arms],
            "force": flag.force,
            "owners": flag.owners,
            "ramp": ramp,
            "declared_by": self._effective.declarers(name),
            "traders": compiled({name: rule}, self._effective.owners()).get(name, {}),
        }

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS
