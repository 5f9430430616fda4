"""FakeTrader: a plain model of a trader's worker. It keeps its match set of after every result."""

from collections.abc import Mapping
from types import MappingProxyType

from tickflag.common.wire.messages import Delta, Heartbeat, Roster, RosterEntry, Snapshot


class FakeTrader:
    """Numbers its results as a worker does. `history` maps (incarnation, seq) to the match set after that result,
    `said` to its notes."""

    def __init__(self, name: str = "breakout", incarnation: int = 1, score_step: float = 0.0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.score_step = score_step
        self.seq = 0
        self.cycle = 0
        self.matches: dict[str, float] = {}
        self.notes: dict[str, str] = {}
        self.history: dict[tuple[int, int], dict[str, float]] = {}
        self.said: dict[tuple[int, int], dict[str, str]] = {}

    def snapshot(self, token: int = 0, stale: list[str] | None = None) -> Snapshot:
        self._number()
        return Snapshot(
            trader=self.name,
            incarnation=self.incarnation,
            seq=self.seq,
            cycle=self.cycle,
            time_ms=self.cycle * 100,
            matches=dict(self.matches),
            stale=stale or [],
            token=token,
            score_step=self.score_step,
            notes=dict(self.notes),
        )

    def change(self, **scores: float | None) -> Delta:
        """Give symbols a score, or None to let them leave."""
        return self.change_to(
            {symbol: score for symbol, score in {**self.matches, **scores}.items() if score is not None}
        )

    def change_to(self, matches: Mapping[str, float], notes: Mapping[str, str] = MappingProxyType({})) -> Delta:
        """Replace the match set. As in a worker, a note of `notes` counts only where its symbol enters or its score
        moves."""
        before, self.matches = self.matches, dict(matches)
        changed = {symbol for symbol, score in matches.items() if before.get(symbol) != score}
        new = {symbol: note for symbol, note in notes.items() if symbol in changed}
        kept = self.matches.keys() - changed
        self.notes = {symbol: note for symbol, note in self.notes.items() if symbol in kept} | new
        self._number()
        return Delta(
            trader=self.name,
            incarnation=self.incarnation,
            seq=self.seq,
            cycle=self.cycle,
            time_ms=self.cycle * 100,
            entered={symbol: score for symbol, score in matches.items() if symbol not in before},
            left=[symbol for symbol in before if symbol not in matches],
            scores={symbol: score for symbol, score in matches.items() if before.get(symbol, score) != score},
            notes=new,
        )

    def heartbeat(self, state: str = "running", **fields: int | str | list[int]) -> Heartbeat:
        return Heartbeat.model_validate(
            {
                "trader": self.name,
                "incarnation": self.incarnation,
                "seq": self.seq,
                "cycle": self.cycle,
                "time_ms": self.cycle * 100,
                "pid": 42,
                "state": state,
                **fields,
            }
        )

    def restart(self, **matches: float) -> Snapshot:
        """Begin a new incarnation; gives its first snapshot."""
        self.incarnation += 1
        self.seq = 0
        self.matches = dict(matches)
        self.notes = {}
        return self.snapshot()

    def _number(self) -> None:
        self.seq += 1
        self.cycle += 1
        self.history[self.incarnation, self.seq] = dict(self.matches)
        self.said[self.incarnation, self.seq] = dict(self.notes)


def roster(*names: str, **states: str) -> Roster:
    """A roster of running traders, and of some in other states."""
    entries = [RosterEntry(name=name, state="running") for name in names]
    entries += [RosterEntry.model_validate({"name": name, "state": state}) for name, state in states.items()]
    return Roster(pid=1, time_ms=5_000, traders=entries)
