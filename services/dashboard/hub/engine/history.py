"""FigureHistory: figures at even steps of time, the newest ones, each step once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tickflag.common.units import MS_PER_S

SERIES = (
    "ticks_per_s", "flagged_per_cycle", "processed_per_s", "efficiency", "cpu_saving", "swap_time_us",
    "swap_interval_ms", "latency_ms", "matches",
)  # fmt: skip


class FigureHistory:
    """The last `points` steps of `step_s` seconds. A step without figures is a hole. Pure."""

    def __init__(self, step_s: int, points: int, series: Sequence[str] = SERIES) -> None:
        self.step_s = step_s
        self._points = points
        self._series = tuple(series)
        self._values = np.full((len(self._series), points), np.nan)
        self._steps = np.full(points, -1, np.int64)  # by place: which step it holds

    def add(self, time_ms: float, figures: Mapping[str, float | None]) -> None:
        """Set the figures of the step that the UTC time belongs to; an older time than is kept is ignored."""
        step = int(time_ms) // (self.step_s * MS_PER_S)
        at = step % self._points
        if step < self._steps[at]:
            return
        self._steps[at] = step
        for row, name in enumerate(self._series):
            value = figures.get(name)
            self._values[row, at] = np.nan if value is None else value

    def document(self, now_ms: float) -> dict[str, Any]:
        """Times and series from the first step that is kept to the last; holes are None."""
        last = int(now_ms) // (self.step_s * MS_PER_S)
        known = self._steps[(self._steps >= 0) & (self._steps > last - self._points) & (self._steps <= last)]
        steps = np.arange(int(np.min(known)), int(np.max(known)) + 1) if len(known) else np.zeros(0, np.int64)
        places = steps % self._points
        there = self._steps[places] == steps
        step_ms = self.step_s * MS_PER_S
        series = {
            name: [_short(value) for value in np.where(there, self._values[row, places], np.nan).tolist()]
            for row, name in enumerate(self._series)
        }
        return {"step_ms": step_ms, "time_ms": (steps * step_ms).tolist(), "series": series}


def _short(value: float) -> float | None:
    """Six digits are enough for a chart."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
