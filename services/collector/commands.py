"""Commands: what operators ask of the collector, and the answers.

status                     collector and traders in one, and what tracking saves
traders                    every trader, sorted by name
matches   trader           its match set as of its last result
snapshot                   all match sets as of signal `last_seq`
signals   since, limit     journalled signals with a number above `since`
control                    the control document
resync    trader           ask the trader for a snapshot
flags.*                    feature flags: see flagdesk.py
circuits, errors, release, notices                              see recoverydesk.py
experiments, .reset        arms of feature flags: see experimentdesk.py
"""

from collections.abc import Callable, Mapping
from typing import Any

from common.clock import Clock
from common.errors import TickflagError
from common.messages import Progress, Reply, Request, RosterEntry
from common.responder import replied
from services.collector.control import ControlState
from services.collector.journal import Journal
from services.collector.views import Known, Views

MAX_SIGNALS = 10_000
DEFAULT_SIGNALS = 1_000
DEEPEST = 8  # lists and maps within one another

_NEVER = Progress(trader="-", incarnation=0, seq=0, cycle=0, time_ms=0)


class Commands:
    """Answers requests between two commits, so that views, journal and control state agree. One thread."""

    def __init__(
        self,
        views: Views,
        journal: Journal,
        control: ControlState,
        clock: Clock,
        about: Callable[[], dict[str, Any]],
        others: "Mapping[str, Callable[[Arguments], Any]]",
        standing: Callable[[str], dict[str, Any]] = lambda _: {},
        saving: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> None:
        """`about` gives what `status` tells of the collector beyond journal and control state, `saving` what it tells
        of tracking; `others` are commands that are answered elsewhere; `standing` gives what recovery adds to the line
        of a trader."""
        self._standing = standing
        self._views = views
        self._journal = journal
        self._control = control
        self._clock = clock
        self._about = about
        self._saving = saving
        self._commands: dict[str, Callable[[Arguments], Any]] = {
            "status": self._status,
            "traders": self._traders,
            "matches": self._matches,
            "snapshot": self._snapshot,
            "signals": self._signals,
            "control": self._control_document,
            "resync": self._resync,
            **others,
        }

    def answer(self, request: Request, key: str = "") -> Reply:
        """Never raises for what a request holds; the reply's error says what was wrong with it. `key` is the name of
        the key that it came with from another machine."""
        return replied(request, lambda: self._result(request, key))

    def _result(self, request: Request, key: str) -> Any:
        command = self._commands.get(request.what)
        if command is None:
            raise TickflagError(f"no command {request.what!r}: use one of {', '.join(self._commands)}")
        return command(Arguments(request.what, request.arguments, key))

    def _status(self, arguments: "Arguments") -> dict[str, Any]:
        arguments.end()
        collector = self._about() | {
            "last_seq": self._journal.last_seq,
            "first_seq": self._journal.first_seq,
            "state_version": self._control.version,
            "journal": str(self._journal.path),
            "journal_bytes": self._journal.size_bytes,
        }
        return {"collector": collector, "traders": self._trader_list(), "saving": self._saving()}

    def _traders(self, arguments: "Arguments") -> list[dict[str, Any]]:
        arguments.end()
        return self._trader_list()

    def _matches(self, arguments: "Arguments") -> dict[str, Any]:
        known = self._named(arguments)
        view = known.view
        return {
            "trader": view.trader,
            "synced": view.synced,
            "stale": known.stale,
            "seq": view.seq,
            "cycle": view.cycle,
            "matches": view.matches,
            "notes": view.notes,
            "stale_symbols": sorted(view.stale_symbols),
        }

    def _snapshot(self, arguments: "Arguments") -> dict[str, Any]:
        arguments.end()
        # The scores of the signals, not the newest: with the signals after `last_seq` they stay right for ever.
        matches = {name: known.view.journalled for name, known in sorted(self._views.known.items())}
        return {"last_seq": self._journal.last_seq, "matches": matches}

    def _signals(self, arguments: "Arguments") -> dict[str, Any]:
        since = arguments.number("since", 0, 0)
        limit = arguments.number("limit", DEFAULT_SIGNALS, 1, MAX_SIGNALS)
        arguments.end()
        page = self._journal.signals(since, limit)  # first: it may delete old ones
        first, last = self._journal.first_seq, self._journal.last_seq
        if since + 1 < first:
            raise TickflagError(
                f"argument 'since': signals {since + 1:,} to {first - 1:,} are no longer kept, the first is {first:,}: "
                f"take a snapshot, or ask since {first - 1}"
            )
        if since > last:
            raise TickflagError(
                f"argument 'since': the last signal is {last:,}, so {since:,} is not of this journal: take a snapshot"
            )
        return {"signals": [signal.model_dump() for signal in page], "last_seq": last, "first_seq": first}

    def _control_document(self, arguments: "Arguments") -> dict[str, Any]:
        arguments.end()
        return self._control.document(self._clock.wall_ns() // 1_000_000).model_dump()

    def _resync(self, arguments: "Arguments") -> dict[str, Any]:
        trader = self._named(arguments).view.trader
        return {"trader": trader, "token": self._views.request_resync(trader, self._clock.monotonic_ns())}

    def _named(self, arguments: "Arguments") -> Known:
        """The trader that the arguments name, and nothing else."""
        trader = arguments.text("trader")
        arguments.end()
        known = self._views.known.get(trader)
        if known is None:
            if trader in self._views.roster and self._views.roster[trader].state == "disabled":
                raise TickflagError(f"trader {trader!r} is disabled: `tickflag trader enable {trader}`")
            if trader in self._views.roster:
                raise TickflagError(f"trader {trader!r} has reported nothing yet")
            names = ", ".join(self._views.names())
            if not names:
                raise TickflagError(
                    f"no trader {trader[:80]!r}: none is known yet: the engine is still starting, or runs no traders "
                    "(see `tickflag status`)"
                )
            raise TickflagError(f"argument 'trader': no trader {trader[:80]!r}: known are {names}")
        return known

    def _trader_list(self) -> list[dict[str, Any]]:
        now_ns = self._clock.monotonic_ns()
        known, roster = self._views.known, self._views.roster
        return [
            {**_trader(name, known.get(name), roster.get(name), now_ns), **self._standing(name)}
            for name in self._views.names()
        ]


class Arguments:
    """The arguments of one request, taken one by one. Raises TickflagError naming the one at fault."""

    def __init__(self, what: str, values: dict[str, Any], key: str = "") -> None:
        self.key = key
        """Name of the key that the request came with from another machine."""
        self._what = what
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required where there is no default."""
        if name not in self._values and default is None:
            raise TickflagError(f"argument {name!r} of {self._what!r} is missing")
        value = self._values.pop(name, default)
        if not isinstance(value, str):
            raise TickflagError(f"argument {name!r} of {self._what!r} must be a text, not {type(value).__name__}")
        return value

    def who(self) -> str:
        """What the client says; from another machine with the key, about which it cannot lie."""
        who = self.text("who", "unknown")
        if not who.isprintable():
            raise TickflagError("argument 'who' must have printable characters only")
        return f"{who} (key {self.key})" if self.key else who

    def switch(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise TickflagError(f"argument {name!r} of {self._what!r} must be true or false")
        return value

    def anything(self, name: str) -> Any:
        """A value as JSON has them, which is checked elsewhere; None where it is not given."""
        value = self._values.pop(name, None)
        if not _is_json(value, DEEPEST):
            raise TickflagError(f"argument {name!r} of {self._what!r} must hold texts, numbers, lists and maps only")
        return value

    def number(self, name: str, default: int, least: int, most: int = (1 << 63) - 1) -> int:
        """A whole number from `least` to `most`."""
        value = self._values.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise TickflagError(f"argument {name!r} of {self._what!r} must be a whole number from {least} to {most}")
        return value

    def end(self) -> None:
        """Nothing else was given."""
        for name in self._values:
            raise TickflagError(f"{self._what!r} has no argument {name!r}")


def _is_json(value: Any, depth: int) -> bool:
    if isinstance(value, list | dict):
        inner = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        return depth > 0 and all(_is_json(one, depth - 1) for one in inner)
    return value is None or isinstance(value, bool | int | float | str)


def _trader(name: str, known: Known | None, entry: RosterEntry | None, now_ns: int) -> dict[str, Any]:
    """One trader as worker, supervisor and collector see it. Counts run since the start of its incarnation."""
    view = known.view if known else None
    progress = known.progress if known and known.progress else _NEVER
    heartbeat = known.heartbeat if known else None
    return {
        "name": name,
        "state": trader_state(known, entry),
        "pid": heartbeat.pid if heartbeat else entry.pid if entry else 0,
        "synced": view.synced if view else False,
        "matches": len(view.matches) if view else 0,
        "stale": 0 if not known else len(known.view.matches if known.stale else known.view.stale_symbols),
        "cycle": progress.cycle,
        "cycles": progress.cycles,
        "processed": progress.processed,
        "skipped": progress.skipped,
        "efficiency": progress.efficiency,
        "bytes_sent": progress.bytes_sent,
        "bytes_full": progress.bytes_full,
        "bytes_wire": heartbeat.bytes_wire if heartbeat else 0,
        "fast": heartbeat.fast if heartbeat else 0,
        "retried": heartbeat.retried if heartbeat else 0,
        "batched": heartbeat.batched if heartbeat else 0,
        "failures": heartbeat.failures if heartbeat else 0,
        "error": heartbeat.error if heartbeat else "",
        "restarts": entry.restarts if entry else 0,
        "source": entry.source if entry else "",
        "reason": entry.reason if entry else "",
        "version": entry.trader_version if entry else "",
        "log": entry.log if entry else "",
        "cpu_ns": heartbeat.cpu_ns if heartbeat else 0,
        "cost_ns": heartbeat.cost_ns if heartbeat else 0,
        "cost_cpu_ns": heartbeat.cost_cpu_ns if heartbeat else 0,
        "age_ms": None if known is None or known.heard_ns is None else (now_ns - known.heard_ns) // 1_000_000,
    }


def trader_state(known: Known | None, entry: RosterEntry | None) -> str:
    """The supervisor's word that it does not run counts most, then silence, then the worker's own."""
    if entry is not None and entry.state != "running":
        return entry.state
    if known is None:
        return "waiting"  # on the roster, and about to report
    heartbeat = known.heartbeat
    if heartbeat is not None and heartbeat.state == "stopped":
        return "stopped"
    if known.stale:
        return "stale"
    return heartbeat.state if heartbeat is not None else "running"
