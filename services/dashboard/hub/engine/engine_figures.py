"""EngineFigures: what the engine does, and its history."""

from collections.abc import Mapping
from typing import Any

from tickflag.common.diagnosis.engine_rates import LONGEST_S, EngineRates
from tickflag.common.units import MS_PER_S
from tickflag.services.dashboard.hub.engine.history import FigureHistory
from tickflag.services.dashboard.hub.engine.restarts import RecentRestarts

MINUTES = (1, 600)
HOURS = (10, 8_640)
"""Seconds of a step, and how many are kept."""
assert 2 * HOURS[0] <= LONGEST_S  # a look comes once in a step while nobody looks


class EngineFigures(EngineRates):
    """Pure: its owner hands in each look. One thread."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes, self.hours = FigureHistory(*MINUTES), FigureHistory(*HOURS)
        self.restarts = RecentRestarts()
        self._second = self._ten_seconds = -1

    def hear(self, status: Mapping[str, Any] | None, now_s: float) -> None:
        if status is not None and status is not self.status:
            self.restarts.hear(status["traders"], now_s)
        super().hear(status, now_s)

    def record(self, now_ms: float) -> None:
        """Keep the present figures for the charts, once a second and once in ten."""
        second, ten_seconds = int(now_ms) // MS_PER_S, int(now_ms) // (HOURS[0] * MS_PER_S)
        if second != self._second:
            self._second = second
            self.minutes.add(now_ms, self.rates(1.0))
        if ten_seconds != self._ten_seconds:
            self._ten_seconds = ten_seconds
            self.hours.add(now_ms, self.rates(float(HOURS[0])))
