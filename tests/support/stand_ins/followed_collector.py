"""FollowedCollector: what followers get from a collector, as a plain model: messages, answers, refusals."""

from typing import Any

from tickflag.common.client.follower.core import JournalQuestion
from tickflag.common.errors import TickflagError
from tickflag.common.wire.messages import Notice, Notices, Signal, Signals
from tickflag.common.wire.requests import Unreachable

TRADERS, SYMBOLS = ("a", "b"), ("X", "Y", "Z")


class FollowedCollector:
    """Its journal keeps all until it is pruned. A collector with `ids` False is one of before journal ids."""

    def __init__(self, ids: bool = True) -> None:
        self.running = True
        self.ids = ids
        self.matches: dict[str, dict[str, float]] = {trader: {} for trader in TRADERS}
        self.written: dict[tuple[str, int], Signal | Notice] = {}
        """(`signal` or `notice` and the journal id, number) -> what was ever committed."""
        self.matches_at: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
        """(journal id, number) -> the match sets as of this signal."""
        self.signals: dict[int, Signal] = {}
        """Those of the present journal, by number."""
        self.notices: dict[int, Notice] = {}
        self.last = self.last_notice = self.after_notice = 0
        self.first, self.first_notice = 1, 1
        self._journals = 0
        self._remember()

    @property
    def journal_id(self) -> str:
        return f"journal {self._journals}" if self.ids else ""

    def commit(self, count: int) -> Signals:
        """So many symbols enter or leave; gives the message of this commit."""
        changed = []
        for _ in range(count):
            changed.append(self._change())
            self.signals[self.last] = changed[-1]
            self.written[f"signal {self.journal_id}", self.last] = changed[-1]
            self._remember()
        return self._message(changed)

    def heartbeat(self) -> Signals:
        return self._message([])

    def note(self, count: int) -> Notices:
        """So many notices; gives the message of this commit."""
        found = []
        for _ in range(count):
            self.last_notice += 1
            about = f"notice {self.last_notice} of {self._journals}"
            found.append(Notice(seq=self.last_notice, time_ms=1, trader="", what="journal", before="", after=about))
            self.notices[self.last_notice] = found[-1]
            self.written[f"notice {self.journal_id}", self.last_notice] = found[-1]
        return Notices(notices=found, last_seq=self.last_notice, journal_id=self.journal_id)

    def prune(self, keep: int) -> None:
        """The journal keeps so many signals and notices."""
        self.first = max(self.first, self.last - keep + 1)
        self.first_notice = max(self.first_notice, self.last_notice - keep + 1)

    def lose(self, count: int) -> None:
        """So many signals are lost: another journal begins above them. Without ids it begins at 1."""
        for _ in range(count):
            self._change()
        self._journals += 1
        self.signals, self.notices = {}, {}
        if not self.ids:
            self.last = self.last_notice = 0
        self.after_notice = self.last_notice
        self.first, self.first_notice = self.last + 1, self.last_notice + 1
        self._remember()
        self.note(1)

    def answer(self, question: JournalQuestion, page: int = 1_000) -> Any:
        """The result, with at most `page` rows. Raises Unreachable, or TickflagError for a refusal."""
        if not self.running:
            raise Unreachable("no collector is running")
        arguments = question.arguments
        if arguments.get("journal_id", self.journal_id) != self.journal_id:
            raise TickflagError("another journal")
        ids = {"journal_id": self.journal_id} if self.ids else {}
        if question.what == "snapshot":
            matches = {trader: dict(scores) for trader, scores in self.matches.items()}
            begin = {"first_seq": self.first, "after_notice": self.after_notice} if self.ids else {}
            return {"last_seq": self.last, "last_notice": self.last_notice, **ids, **begin, "matches": matches}
        since = arguments["since"]
        if question.what == "signals" and not self.first - 1 <= since <= self.last:
            raise TickflagError("not of this journal, or no longer kept")
        rows: dict[int, Any] = self.signals if question.what == "signals" else self.notices
        first, last = (self.first, self.last) if question.what == "signals" else (self.first_notice, self.last_notice)
        found = [rows[number].model_dump() for number in range(max(first, since + 1), last + 1)][:page]
        return {question.what: found, "first_seq": first, "last_seq": last, **ids}

    def _remember(self) -> None:
        self.matches_at[self.journal_id, self.last] = {name: dict(scores) for name, scores in self.matches.items()}

    def _change(self) -> Signal:
        """The next signal: which symbol enters or leaves follows from the number."""
        self.last += 1
        trader, symbol = TRADERS[self.last % 2], SYMBOLS[self.last * self.last % 3]
        there = self.matches[trader]
        leaves = symbol in there
        score = there.pop(symbol) if leaves else there.setdefault(symbol, self.last / 4)
        event: Any = "left" if leaves else "entered"
        return Signal(
            seq=self.last, trader=trader, symbol=symbol, event=event, score=score, time_ms=self.last, cycle=self.last
        )

    def _message(self, signals: list[Signal]) -> Signals:
        return Signals(signals=signals, last_seq=self.last, journal_id=self.journal_id, last_notice=self.last_notice)
