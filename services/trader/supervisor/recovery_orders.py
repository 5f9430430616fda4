"""RecoveryOrders: what the collector's recovery wants of one trader, told once, however often a message repeats it."""

from typing import Literal

from tickflag.services.trader.supervisor.trader_state import OFF, TraderState

Order = Literal["nothing", "quarantine", "return", "fresh start"]


class RecoveryOrders:
    """Turns what the control state says of one trader into the next thing to do. No process, no clock.

    Each message repeats the whole control state. It names a quarantine by the number of its circuit's opening, so that
    a waived quarantine differs from the next one. It counts fresh starts. Those counted in the first message need
    nothing: the trader was started after they were ordered.
    """

    def __init__(self) -> None:
        self._opening = 0
        self._waived_opening = 0
        self._fresh_starts: int | None = None

    def next_order(self, state: TraderState, opening: int, fresh_starts: int) -> Order:
        """What to do now. `opening` is that of the present quarantine, 0 for none; `fresh_starts` counts all that were
        ordered so far."""
        before, self._fresh_starts = self._fresh_starts, fresh_starts
        if opening and opening != self._waived_opening:
            if state in OFF:
                return "nothing"
            self._opening = opening
            return "quarantine"
        if state is TraderState.QUARANTINED:
            return "return"
        return "fresh start" if before is not None and fresh_starts > before and state not in OFF else "nothing"

    def waive_quarantine(self) -> None:
        """Ignore the present quarantine from now on, as new code is to be tried; the next quarantine counts."""
        self._waived_opening = self._opening
