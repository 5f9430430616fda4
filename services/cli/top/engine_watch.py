"""EngineWatch: asks feed, collector and supervisor all the time, and gives what is known now. Nothing here waits."""

import time
from collections.abc import Mapping
from typing import Any

from tickflag.common.client.engine_address import remote_engine
from tickflag.common.client.follower.events import MatchSets, NewSignals
from tickflag.common.client.follower.link import CollectorLink
from tickflag.common.client.questions import Known, Questions
from tickflag.common.client.recent_signals import RecentSignals
from tickflag.common.diagnosis.buffers import buffers, current_channel_words
from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.diagnosis.engine import batch_mode, of_flag_file, of_traders, problems
from tickflag.common.diagnosis.engine_rates import EngineRates, sums
from tickflag.common.diagnosis.feed_figures import feed_figures
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Role
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.sockets import Socket
from tickflag.services.cli.top.reading import CollectorContact, EngineReading, TraderDetail, trader_line

EVERY_S = 1.0
"""Between two looks at the figures."""
SELDOM_S = 2.0
"""Between two questions whose answers hardly change, or are long."""
RECENT = 200
_EVENTS_PER_STEP = 50
_PAST, _PAST_PAGES = 1_000, 20
"""So much of the journal is read at most for what came and went in the last minute."""
_AGAIN_S = 5.0
"""Until following begins anew after it failed."""
_ROLES = ("feed", "collector", "trader")


class EngineWatch:
    """Made in the thread that uses it. Close it."""

    def __init__(self, settings: Settings) -> None:
        """Raises TickflagError where a key for another machine is missing, or descriptors are short."""
        self._settings, self._runtime = settings, settings.runtime_folder()
        self._remote = remote_engine(settings)
        self._questions = Questions(self._runtime, remote=self._remote)
        self._rates = EngineRates()
        self._signals = RecentSignals()
        self._link: CollectorLink | None = None
        self._link_due_s = 0.0
        self._followed = False
        self._journal_id = ""
        self._no_signals = ""
        self._contact = CollectorContact()
        self._status: Known = Known()
        self._status_s = 0.0
        self._look_due_s = 0.0
        self._feed: Mapping[str, Any] | None = None
        self._channels: list[dict[str, Any]] = []
        self._told: Mapping[str, Any] = {"collector": {}, "traders": []}
        """The collector's last answer to `status`, which stays while it is away."""

    def step(self, detail: str = "") -> None:
        """Do what is due; `detail` is the trader of whom more is wanted."""
        now_s = time.monotonic()
        self._questions.step()
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + EVERY_S
            if self._remote is None:
                figures = feed_figures(self._settings, self._runtime)
                self._feed = figures.state
                self._channels = current_channel_words(self._runtime) if "updates" in figures.state else []
                self._rates.look(figures, now_s)
            self._questions.forget_unused()
        self._hear(now_s)
        self._ask_more(detail)
        self._follow(now_s)
        self._questions.step()  # what was asked just now goes out

    @property
    def whole(self) -> bool:
        """Whether every part has answered, or failed to."""
        signals = self._followed or bool(self._no_signals) or bool(self._contact.error)
        return self._status.answered and signals and not self._questions.waiting

    @property
    def runs(self) -> bool:
        """Whether any part of the engine is there."""
        if self._remote is not None:
            return bool(self._contact.answered_ms)
        return any(Role.holder(self._runtime, role) is not None for role in _ROLES)

    @property
    def refusal(self) -> str:
        """Why the collector does not answer."""
        return self._contact.error

    @property
    def sockets(self) -> list[Socket]:
        """Those to wait on."""
        return [*self._questions.sockets, *(self._link.sockets if self._link is not None else ())]

    def idle_s(self) -> float:
        """For how long `step` has nothing to do unless a socket is readable."""
        due = max(0.0, self._look_due_s - time.monotonic())
        return min(due, self._link.idle_s()) if self._link is not None else due

    def reading(self, detail: str = "") -> EngineReading:
        """All that is known now."""
        now_ms = time.time_ns() / NS_PER_MS
        answer = self._told
        flags, control = self._latest("flags.list").value, self._latest("control").value
        batched = batch_mode(flags, control)
        moves = self._signals.last_minute(now_ms) if self._followed else None
        return EngineReading(
            where=self._where(answer["collector"]),
            time_ms=now_ms,
            contact=self._contact,
            feed=self._feed,
            collector=answer["collector"],
            rates=self._rates.rates(EVERY_S),
            latency_ms=self._rates.latency_ms(),
            saving=self._rates.saving,
            sums=sums(answer["traders"]) if self._contact.answered_ms else {},
            batch_mode=batched,
            buffers=buffers(self._channels, answer["traders"]),
            traders=[trader_line(one, moves, one["name"] in batched) for one in answer["traders"]],
            recent=self._signals.newest_moves(RECENT) if self._followed else None,
            no_signals=self._no_signals,
            problems=self._problems(flags),
            detail=self._detail(detail) if detail else None,
        )

    def close(self) -> None:
        self._questions.close()
        self._unfollow()

    def _where(self, collector: Mapping[str, Any]) -> str:
        if self._remote is None:
            return self._settings.instance
        return f"{collector.get('instance', '')} at {self._remote.endpoint}".lstrip()

    def _latest(self, what: str, every_s: float = SELDOM_S, **arguments: Any) -> Known:
        return self._questions.latest("collector", what, every_s, **arguments)

    def _hear(self, now_s: float) -> None:
        """Take the collector's newest answer to `status`."""
        self._status = known = self._latest("status", EVERY_S)
        if not known.answered or known.answered_s == self._status_s:
            return
        self._status_s = known.answered_s
        now_ms = time.time_ns() / NS_PER_MS
        if known.error is None:
            self._contact = self._contact.heard(now_ms)
            self._rates.hear(known.value, now_s)
            self._told = known.value
        else:
            self._contact = self._contact.missed(str(known.error))
            self._rates.hear(None, now_s)

    def _ask_more(self, detail: str) -> None:
        self._latest("flags.list")
        self._latest("control")
        if self._remote is None:
            self._questions.latest("trader", "supervisor", SELDOM_S)
        if detail:
            for what in ("circuits", "errors", "matches"):
                self._latest(what, trader=detail)

    def _detail(self, trader: str) -> TraderDetail:
        found = {what: self._latest(what, trader=trader) for what in ("circuits", "errors", "matches")}
        errors = [str(known.error) for known in found.values() if known.error is not None]
        listed = found["errors"].value
        return TraderDetail(
            trader,
            found["circuits"].value,
            None if listed is None else listed["errors"],
            found["matches"].value,
            errors[0] if errors else "",
        )

    def _problems(self, flags: Mapping[str, Any] | None) -> list[Diagnosis]:
        trouble = (flags or {}).get("trouble", "")
        traders = self._status.value["traders"] if self._status.value else []
        if self._remote is not None:
            return [one for one in (*of_flag_file(trouble), *of_traders(traders)) if one.level != "ok"]
        holders = {role: Role.holder(self._runtime, role) for role in _ROLES}
        asked = {"collector": self._status, "trader": self._questions.latest("trader", "supervisor", SELDOM_S)}
        silence = {service: str(known.error) for service, known in asked.items() if known.error is not None}
        return problems(holders, self._feed or {"state": "stopped"}, silence, trouble, traders)

    def _follow(self, now_s: float) -> None:
        """Take the signals that came."""
        early = now_s < self._link_due_s or (self._remote is not None and not self._contact.answered_ms)
        if self._link is None and early:
            return
        try:
            if self._link is None:
                self._link = CollectorLink(self._runtime, self._remote, None)
            for _ in range(_EVENTS_PER_STEP):
                self._link.step()
                event = self._link.take_event()
                if event is None:
                    break
                match event:
                    case MatchSets():
                        self._signals.clear()
                        self._followed, self._no_signals = True, ""
                        self._journal_id = event.place.journal_id
                        self._read_past(event.place.signal, event.place.journal_id)
                    case NewSignals():
                        self._signals.add([dict(signal.__dict__) for signal in event.signals])
        except TickflagError as error:  # the other machine publishes nothing, or refuses us; or descriptors are short
            self._no_signals = str(error)
            self._unfollow()
            self._link_due_s = now_s + _AGAIN_S

    def _read_past(self, last: int, journal_id: str, pages: int = _PAST_PAGES) -> None:
        """The signals up to number `last`, back to a minute ago."""

        def take(answer: Any, error: TickflagError | None) -> None:
            if error is not None or journal_id != self._journal_id:
                return
            self._signals.prepend(answer["signals"][::-1], answer["whole"])
            if self._signals.last_minute(time.time_ns() / NS_PER_MS) is None and not answer["whole"] and pages > 1:
                self._read_past(answer["reached"] - 1, journal_id, pages - 1)

        arguments = {"before": last + 1, "limit": _PAST, "journal_id": journal_id}
        self._questions.ask("collector", "signals.find", arguments, take)

    def _unfollow(self) -> None:
        self._followed = False
        if self._link is not None:
            self._link.close()
            self._link = None
