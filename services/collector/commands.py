"""CollectorCommands: what operators ask of the collector, and the answers.

status                     collector and traders in one, and what tracking saves
traders                    every trader, sorted by name
matches   trader           its match set as of its last result
snapshot                   all match sets as of signal `last_seq`
signals   since, limit, journal_id     journalled signals with a number above `since`
control                    the control document
resync    trader           ask the trader for a snapshot

Other commands: `flags/commands.py`, `recovery/commands.py`, `journal/commands.py`, `experiments/commands.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tickflag.common.clock import Clock
from tickflag.common.errors import TickflagError
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.arguments import Arguments, Command
from tickflag.common.wire.messages import Progress, Reply, Request, RosterEntry
from tickflag.common.wire.responder import replied
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.commands import check_journal
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.views.trader_record import TraderRecord
from tickflag.services.collector.views.views import Views

MAX_SIGNALS = 10_000
DEFAULT_SIGNALS = 1_000
REQUESTS_PER_STEP = 8  # a large answer takes as long as hundreds of results

_NEVER = Progress(trader="-", incarnation=0, seq=0, cycle=0, time_ms=0)


class CollectorCommands:
    """Answers requests, between two commits: so views, journal and control state agree. One thread."""

    def __init__(
        self,
        views: Views,
        journal: Journal,
        control: ControlState,
        clock: Clock,
        about: Callable[[], dict[str, Any]],
        others: Mapping[str, Command],
        recovery_status: Callable[[str], dict[str, Any]] = lambda _: {},
        saving: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> None:
        """`others` are the commands of other parts of the collector.

        The other callables give parts of answers: `about` what `status` tells of the process, `saving` what `status`
        tells of tracking, `recovery_status` what recovery adds to the line of a trader.
        """
        self._recovery_status = recovery_status
        self._views = views
        self._journal = journal
        self._control = control
        self._clock = clock
        self._about = about
        self._saving = saving
        self._commands: dict[str, Command] = {
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
        """The reply to a request. Where the request cannot be carried out, the reply's error says why; nothing in a
        request makes this raise. `key` is the name of the key of a request from another machine."""
        return replied(request, lambda: self._result(request, key))

    def _result(self, request: Request, key: str) -> Any:
        command = self._commands.get(request.what)
        if command is None:
            raise TickflagError(f"no command {request.what!r}: use one of {', '.join(self._commands)}")
        return command(Arguments(request.what, request.arguments, key))

    def _status(self, arguments: Arguments) -> dict[str, Any]:
        arguments.end()
        collector = self._about() | {
            "last_seq": self._journal.last_seq,
            "first_seq": self._journal.first_seq,
            "journal_id": self._journal.journal_id,
            "state_version": self._control.version,
            "journal": str(self._journal.path),
            "journal_bytes": self._journal.size_bytes,
        }
        return {"collector": collector, "traders": self._trader_list(), "saving": self._saving()}

    def _traders(self, arguments: Arguments) -> list[dict[str, Any]]:
        arguments.end()
        return self._trader_list()

    def _matches(self, arguments: Arguments) -> dict[str, Any]:
        record = self._named(arguments)
        view = record.view
        return {
            "trader": view.trader,
            "synced": view.synced,
            "stale": record.stale,
            "seq": view.seq,
            "cycle": view.cycle,
            "matches": view.matches,
            "notes": view.notes,
            "stale_symbols": sorted(view.stale_symbols),
        }

    def _snapshot(self, arguments: Arguments) -> dict[str, Any]:
        arguments.end()
        # The scores of the signals, not the newest ones: the signals after `last_seq` change these.
        matches = {name: record.view.journalled for name, record in sorted(self._views.records.items())}
        journal = self._journal
        place = {"journal_id": journal.journal_id, "last_seq": journal.last_seq, "last_notice": journal.last_notice}
        begin = {"first_seq": journal.first_seq, "after_notice": journal.begun.identity.after_notice}
        return {**place, **begin, "matches": matches}

    def _signals(self, arguments: Arguments) -> dict[str, Any]:
        check_journal(arguments, self._journal)
        since = arguments.number("since", 0, 0)
        limit = arguments.number("limit", DEFAULT_SIGNALS, 1, MAX_SIGNALS)
        arguments.end()
        page = self._journal.signals(since, limit)  # before `first_seq` is read, as `signals` may delete old ones
        first, last = self._journal.first_seq, self._journal.last_seq
        after = self._journal.begun.identity.after_signal
        if since < after:
            raise TickflagError(
                f"argument 'since': signals up to {after:,} are those of an earlier journal id: take a snapshot, or "
                f"ask since {after}"
            )
        if since + 1 < first:
            raise TickflagError(
                f"argument 'since': signals {since + 1:,} to {first - 1:,} are no longer kept, the first is {first:,}: "
                f"take a snapshot, or ask since {first - 1}"
            )
        if since > last:
            raise TickflagError(
                f"argument 'since': the last signal is {last:,}, so {since:,} is not of this journal: take a snapshot"
            )
        signals = [signal.model_dump() for signal in page]
        return {"signals": signals, "last_seq": last, "first_seq": first, "journal_id": self._journal.journal_id}

    def _control_document(self, arguments: Arguments) -> dict[str, Any]:
        arguments.end()
        return self._control.document(self._clock.wall_ns() // NS_PER_MS).model_dump()

    def _resync(self, arguments: Arguments) -> dict[str, Any]:
        trader = self._named(arguments).view.trader
        return {"trader": trader, "token": self._views.request_resync(trader, self._clock.monotonic_ns())}

    def _named(self, arguments: Arguments) -> TraderRecord:
        """The record of the trader that the only argument names."""
        trader = arguments.text("trader")
        arguments.end()
        record = self._views.records.get(trader)
        if record is None:
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
        return record

    def _trader_list(self) -> list[dict[str, Any]]:
        now_ns = self._clock.monotonic_ns()
        records, roster = self._views.records, self._views.roster
        return [
            {**_trader(name, records.get(name), roster.get(name), now_ns), **self._recovery_status(name)}
            for name in self._views.names()
        ]


def _trader(name: str, record: TraderRecord | None, entry: RosterEntry | None, now_ns: int) -> dict[str, Any]:
    """One trader as its worker, the supervisor and the collector see it. Counts run since the start of its
    incarnation."""
    view = record.view if record else None
    progress = record.progress if record and record.progress else _NEVER
    heartbeat = record.heartbeat if record else None
    return {
        "name": name,
        "state": trader_state(record, entry),
        "pid": heartbeat.pid if heartbeat else entry.pid if entry else 0,
        "synced": view.synced if view else False,
        "matches": len(view.matches) if view else 0,
        "stale": 0 if not record else len(record.view.matches if record.stale else record.view.stale_symbols),
        "incarnation": progress.incarnation,
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
        "lapped": heartbeat.lapped if heartbeat else 0,
        "batched": heartbeat.batched if heartbeat else 0,
        "channel": heartbeat.channel if heartbeat else "",
        "failures": heartbeat.failures if heartbeat else 0,
        "error": heartbeat.error if heartbeat else "",
        "restarts": entry.restarts if entry else 0,
        "source": entry.source if entry else "",
        "reason": (record.why_ignored() if record else "") or (entry.reason if entry else ""),
        "version": entry.trader_version if entry else "",
        "log": entry.log if entry else "",
        "cpu_ns": heartbeat.cpu_ns if heartbeat else 0,
        "cost_ns": heartbeat.cost_ns if heartbeat else 0,
        "cost_cpu_ns": heartbeat.cost_cpu_ns if heartbeat else 0,
        "age_ms": None if record is None or record.heard_ns is None else (now_ns - record.heard_ns) // NS_PER_MS,
    }


def trader_state(record: TraderRecord | None, entry: RosterEntry | None) -> str:
    """The state of a trader: the supervisor's if it says that the trader does not run, else `stale` if the trader is
    silent, else the worker's own."""
    if entry is not None and entry.state != "running":
        return entry.state
    if record is None:
        return "waiting"  # on the roster, and about to report
    heartbeat = record.heartbeat
    if heartbeat is not None and heartbeat.state == "stopped":
        return "stopped"
    if record.stale:
        return "stale"
    return heartbeat.state if heartbeat is not None else "running"
