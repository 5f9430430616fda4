"""The collector's views with a clock that the test moves."""

from tickflag.common.wire.messages import Delta, Heartbeat, Roster, Snapshot
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.views.trader_record import TraderRecord
from tickflag.services.collector.views.views import Views

STALE_AFTER_NS = 5_000_000_000


class ViewsHarness:
    """`one` is what the views tell of the trader `breakout`."""

    def __init__(self) -> None:
        self.control = ControlState()
        self.views = Views(self.control.resync, STALE_AFTER_NS)
        self.now_ns = 1_000_000_000

    def take(self, message: Snapshot | Delta | Heartbeat | Roster) -> list[tuple[str, str, float]]:
        return [signal[1:4] for signal in self.views.apply(message, self.now_ns)]

    def pass_time(self, ns: int) -> None:
        self.now_ns += ns
        self.views.expire(self.now_ns)

    @property
    def one(self) -> TraderRecord:
        return self.views.records["breakout"]

    def synced(self) -> bool:
        return self.one.view.synced

    def stale(self) -> bool:
        return self.one.stale

    @property
    def token(self) -> int:
        return self.control.resync.tokens.get("breakout", 0)
