"""Any stream of a trader's messages, with losses, repetitions and restarts of either side."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tickflag.common.wire.messages import Delta, Heartbeat, Roster, Snapshot
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.views.view import UnnumberedSignal
from tickflag.services.collector.views.views import Views

Match = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 6).map(float), max_size=6)
Notes = st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from(["up", "down"]), max_size=6)

Fate = st.sampled_from(["deliver", "deliver", "lose", "wait"])


class Stream(RuleBasedStateMachine):
    """One trader, a wire that loses and repeats, and a collector with a journal that outlives it."""

    @initialize(step=st.sampled_from([0.0, 1.0, 2.5]))
    def begin(self, step: float) -> None:
        self.trader = FakeTrader(score_step=step)
        self.journal = Journal(":memory:")
        self.wire: list[Snapshot | Delta | Heartbeat] = []
        self.sent: list[Snapshot | Delta | Heartbeat] = []
        self.signals: list[UnnumberedSignal] = []
        self.now_ns = 0
        self._start_collector()
        self._send(self.trader.snapshot())

    def _start_collector(self) -> None:
        state = self.journal.load()
        self.control = ControlState(state.state_version)
        self.views = Views(self.control.resync, stale_after_ns=1_000)
        self.views.restore(state.traders, self.now_ns)
        self.signals = []
        self._commit()

    def _send(self, message: Snapshot | Delta | Heartbeat, fate: str = "wait") -> None:
        """Put the message on the wire, which keeps the order; or lose it; or deliver it with all that waits before
        it."""
        self.sent.append(message)
        if fate != "lose":
            self.wire.append(message)
        while self.wire and fate == "deliver":
            self._take(self.wire.pop(0))

    def _take(self, message: Snapshot | Delta | Heartbeat | Roster) -> None:
        self.signals += self.views.apply(message, self.now_ns)

    def _commit(self) -> None:
        self.journal.commit(self.signals, self.views.drain_positions(), self.control.version)
        self.signals = []

    @rule(matches=Match, notes=Notes, fate=Fate)
    def change(self, matches: dict[str, float], notes: dict[str, str], fate: str) -> None:
        self._send(self.trader.change_to(matches, notes), fate)

    @rule(symbol=st.sampled_from("ABCDEF"), score=st.integers(0, 6).map(float), notes=Notes, fate=Fate)
    def change_one(self, symbol: str, score: float, notes: dict[str, str], fate: str) -> None:
        """The content of a small delta may fit on a view that missed another one."""
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

    @precondition(lambda self: self.control.resync.tokens)
    @rule(fate=Fate)
    def answer_control(self, fate: str) -> None:
        self._send(self.trader.snapshot(self.control.resync.tokens[self.trader.name]), fate)

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
        """Whatever was sent, lost or not, may come once more, at any time, in any order."""
        self._take(data.draw(st.sampled_from(self.sent)))

    @rule(listed=st.booleans())
    def read_roster(self, listed: bool) -> None:
        self._take(roster(self.trader.name) if listed else roster())

    @rule()
    def commit(self) -> None:
        self._commit()

    @rule()
    def crash_collector(self) -> None:
        """Lose what was not committed, and everything on the wire."""
        self.wire.clear()
        self._start_collector()

    @rule(ns=st.sampled_from([1, 900, 5_000_000_000]))
    def pass_time(self, ns: int) -> None:
        self.now_ns += ns
        self.views.expire(self.now_ns)

    @rule()
    def calm_down(self) -> None:
        """Once nothing is lost any more, one heartbeat and one answer bring every view to the trader's match set."""
        self._take(roster(self.trader.name))
        while self.wire:
            self._take(self.wire.pop(0))
        self._take(self.trader.heartbeat())
        token = self.control.resync.tokens.get(self.trader.name)
        if token:
            self._take(self.trader.snapshot(token))
        view = self.views.records[self.trader.name].view
        assert view.synced
        assert view.matches == self.trader.matches
        assert view.notes == self.trader.notes

    @invariant()
    def view_prefix(self) -> None:
        """A synced view equals the trader's match set right after the view's number."""
        for record in self.views.records.values():
            view = record.view
            if view.synced:
                assert view.matches == self.trader.history[view.incarnation, view.seq]
                assert view.notes == self.trader.said[view.incarnation, view.seq]
            assert view.notes.keys() <= view.matches.keys()

    @invariant()
    def gap_visible(self) -> None:
        """A view is either synced or asked for; no synced trader is asked."""
        unsynced = {name for name, record in self.views.records.items() if not record.view.synced}
        assert unsynced == set(self.control.resync.tokens)

    @invariant()
    def signals_add_up(self) -> None:
        """A follower of all signals holds the views' matches, with scores within the step."""
        held: dict[str, float] = {}
        signals = self.journal.signals(0, 1_000_000)
        assert [signal.seq for signal in signals] == list(range(1, len(signals) + 1))
        for signal in [
            *[UnnumberedSignal(*list(signal.model_dump().values())[1:]) for signal in signals],
            *self.signals,
        ]:
            if signal.event == "left":
                del held[signal.symbol]
            else:
                assert (signal.symbol in held) == (signal.event == "score")
                held[signal.symbol] = signal.score
        record = self.views.records.get(self.trader.name)
        assert held == (record.view.journalled if record else {})
        if record:
            assert record.view.matches.keys() == held.keys()
            if record.view.synced:
                step = self.trader.score_step
                assert all(abs(score - held[symbol]) <= step for symbol, score in record.view.matches.items())

    def teardown(self) -> None:
        if hasattr(self, "trader"):
            self.calm_down()
            self.view_prefix()
            self.signals_add_up()
            self.journal.close()


TestStream = Stream.TestCase
TestStream.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
