"""Desk: the collector's views with a clock that the test moves."""

from common.messages import Delta, Heartbeat, Roster, Snapshot
from services.collector.control import ControlState
from services.collector.views import Known, Views

STALE_AFTER_NS = 5_000_000_000


class Desk:
    """`one` is what is known of the trader `breakout`."""

    def __init__(self) -> None:
        self.control = ControlState()
        self.views = Views(self.control, STALE_AFTER_NS)
        self.now_ns = 1_000_000_000

    def take(self, message: Snapshot | Delta | Heartbeat | Roster) -> list[tuple[str, str, float]]:
        return [draft[1:4] for draft in self.views.apply(message, self.now_ns)]

    def pass_time(self, ns: int) -> None:
        self.now_ns += ns
        self.views.expire(self.now_ns)

    @property
    def one(self) -> Known:
        return self.views.known["breakout"]

    def synced(self) -> bool:
        return self.one.view.synced

    def stale(self) -> bool:
        return self.one.stale

    @property
    def token(self) -> int:
        return self.control.resync.get("breakout", 0)
