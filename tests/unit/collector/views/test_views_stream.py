"""Any stream of a trader's messages, with drops, repetitions and restarts of either side."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from common.messages import Delta, Heartbeat, Roster, Snapshot
from services.collector.control import ControlState
from services.collector.journal import Journal
from services.collector.view import Draft
from services.collector.views import Views
from tests.support.fake_trader import FakeTrader, roster

Match = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 6).map(float), max_size=6)
Notes = st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from(["up", "down"]), max_size=6)

Fate = st.sampled_from(["deliver", "deliver", "lose", "wait"])


class Stream(RuleBasedStateMachine):
    """One trader, a wire that loses and repeats, and a collector with a journal that survives it."""

    @initialize(step=st.sampled_from([0.0, 1.0, 2.5]))
    def begin(self, step: float) -> None:
        self.trader = FakeTrader(score_step=step)
        self.journal = Journal(":memory:")
        self.wire: list[Snapshot | Delta | Heartbeat] = []
        self.sent: list[Snapshot | Delta | Heartbeat] = []
        self.drafts: list[Draft] = []
        self.now_ns = 0
        self._start_collector()
        self._send(self.trader.snapshot())

    def _start_collector(self) -> None:
        state = self.journal.load()
        self.control = ControlState(state.state_version)
        self.views = Views(self.control, stale_after_ns=1_000)
        self.views.restore(state.traders, self.now_ns)
        self.drafts = []
        self._commit()

    def _send(self, message: Snapshot | Delta | Heartbeat, fate: str = "wait") -> None:
        """On the wire, which keeps the order; or lost; or delivered with all that waits before it."""
        self.sent.append(message)
        if fate != "lose":
            self.wire.append(message)
        while self.wire and fate == "deliver":
            self._take(self.wire.pop(0))

    def _take(self, message: Snapshot | Delta | Heartbeat | Roster) -> None:
        self.drafts += self.views.apply(message, self.now_ns)

    def _commit(self) -> None:
        self.journal.commit(self.drafts, self.views.take_moved(), self.control.version)
        self.drafts = []

    @rule(matches=Match, notes=Notes, fate=Fate)
    def change(self, matches: dict[str, float], notes: dict[str, str], fate: str) -> None:
        self._send(self.trader.change_to(matches, notes), fate)

    @rule(symbol=st.sampled_from("ABCDEF"), score=st.integers(0, 6).map(float), notes=Notes, fate=Fate)
    def change_one(self, symbol: str, score: float, notes: dict[str, str], fate: str) -> None:
        """A small delta fits on a view that missed another one, as far as its content goes."""
        matches = {**self.trader.matches, symbol: score}
        if self.trader.matches.get(symbol) == score:
            del matches[symbol]
        self._send(self.trader.change_to(matches, notes), fate)

    @rule(fate=Fate)
    def beat(self, fate: str) -> None:
        self._send(self.trader.heartbeat(), fate)

    @rule(matches=Match, fate=Fate)
    def restart_trader(self, matches: dict[str, float], fate: str) -> None:
        self._send(self.trader.restart(**matches), fate)

    @precondition(lambda self: self.control.resync)
    @rule(fate=Fate)
    def answer_control(self, fate: str) -> None:
        self._send(self.trader.snapshot(self.control.resync[self.trader.name]), fate)

    @precondition(lambda self: self.wire)
    @rule()
    def deliver(self) -> None:
        self._take(self.wire.pop(0))

    @precondition(lambda self: self.wire)
    @rule()
    def drop(self) -> None:
        self.wire.pop(0)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Anything ever sent, lost or not, may come once more, at any time, in any order."""
        self._take(data.draw(st.sampled_from(self.sent)))

    @rule(listed=st.booleans())
    def read_roster(self, listed: bool) -> None:
        self._take(roster(self.trader.name) if listed else roster())

    @rule()
    def commit(self) -> None:
        self._commit()

    @rule()
    def crash_collector(self) -> None:
        """What was not committed is lost, as is everything on the wire."""
        self.wire.clear()
        self._start_collector()

    @rule(ns=st.sampled_from([1, 900, 5_000_000_000]))
    def pass_time(self, ns: int) -> None:
        self.now_ns += ns
        self.views.expire(self.now_ns)

    @rule()
    def calm_down(self) -> None:
        """Once nothing is lost any more, one heartbeat and one answer bring every view to the trader's set."""
        self._take(roster(self.trader.name))
        while self.wire:
            self._take(self.wire.pop(0))
        self._take(self.trader.heartbeat())
        token = self.control.resync.get(self.trader.name)
        if token:
            self._take(self.trader.snapshot(token))
        view = self.views.known[self.trader.name].view
        assert view.synced
        assert view.matches == self.trader.matches
        assert view.notes == self.trader.notes

    @invariant()
    def view_prefix(self) -> None:
        """A synced view equals the trader's set right after the result it stands at."""
        for known in self.views.known.values():
            view = known.view
            if view.synced:
                assert view.matches == self.trader.history[view.incarnation, view.seq]
                assert view.notes == self.trader.said[view.incarnation, view.seq]
            assert view.notes.keys() <= view.matches.keys()

    @invariant()
    def gap_visible(self) -> None:
        """A view is either synced or asked for; nobody else is asked."""
        unsynced = {name for name, known in self.views.known.items() if not known.view.synced}
        assert unsynced == set(self.control.resync)

    @invariant()
    def signals_add_up(self) -> None:
        """Whoever follows the signals from the first one holds the views' matches, with scores within the step."""
        held: dict[str, float] = {}
        signals = self.journal.signals(0, 1_000_000)
        assert [signal.seq for signal in signals] == list(range(1, len(signals) + 1))
        for draft in [*[Draft(*list(signal.model_dump().values())[1:]) for signal in signals], *self.drafts]:
            if draft.event == "left":
                del held[draft.symbol]
            else:
                assert (draft.symbol in held) == (draft.event == "score")
                held[draft.symbol] = draft.score
        known = self.views.known.get(self.trader.name)
        assert held == (known.view.journalled if known else {})
        if known:
            assert known.view.matches.keys() == held.keys()
            if known.view.synced:
                step = self.trader.score_step
                assert all(abs(score - held[symbol]) <= step for symbol, score in known.view.matches.items())

    def teardown(self) -> None:
        if hasattr(self, "trader"):
            self.calm_down()
            self.view_prefix()
            self.signals_add_up()
            self.journal.close()


TestStream = Stream.TestCase
TestStream.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
