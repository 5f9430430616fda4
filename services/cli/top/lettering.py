"""Lettering: numbers, times and signs as text that the terminal's encoding can say, the same as on the dashboard."""

import math
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, set_cell_size

from tickflag.common.units import MS_PER_S
from tickflag.services.cli.output import one_line

_DIGITS = 3
_SIZES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Lettering:
    """Signs, and how texts are written. What is not known is `none`."""

    encoding: str = "utf-8"
    entered: str = "▲"
    left: str = "▽"
    none: str = "\N{EN DASH}"
    up: str = "↑"
    down: str = "↓"
    micro: str = "µ"
    more: str = "…"
    cursor: str = "▏"

    def text(self, raw: object) -> str:
        """Somebody's text on one line, without anything that would control the terminal."""
        return one_line(str(raw)).encode(self.encoding, "backslashreplace").decode(self.encoding)

    def fitted(self, text: str, cells: int) -> str:
        """The text in exactly so many cells of the screen: filled with blanks, or cut."""
        if cells <= 0:
            return ""
        if cell_len(text) <= cells:
            return set_cell_size(text, cells)
        return set_cell_size(text, max(0, cells - len(self.more))) + self.more[:cells]

    def whole(self, value: float | None) -> str:
        """12,345"""
        return self.none if value is None else f"{value:,.0f}"

    def short(self, value: float | None) -> str:
        """950, 12.3 k, 4.56 M: three digits."""
        if value is None or not math.isfinite(value):
            return self.none
        for size, letter in _SIZES:
            if abs(value) >= size * 0.9995:
                return f"{_digits(value / size)} {letter}"
        return f"{value:.0f}" if float(value).is_integer() else _digits(value)

    def share(self, value: float | None) -> str:
        """0.941 as 94.1 %"""
        if value is None:
            return self.none
        return f"{value * 100:.{0 if abs(value) >= 0.9995 else 1}f} %"

    def lasting(self, ms: float | None) -> str:
        """640 µs, 12.0 ms, 3.2 s, 4 min 10 s, 2 h 5 min, 5 d 3 h."""
        if ms is None:
            return self.none
        if ms == 0:
            return "0 ms"
        if ms < 0.001:
            return f"{_digits(ms * 1e6)} ns"
        if ms < 1:
            return f"{_digits(ms * 1000)} {self.micro}s"
        if ms < MS_PER_S:
            return f"{_digits(ms)} ms"
        if ms < _MINUTE_MS:
            return f"{ms / MS_PER_S:.1f} s"
        if ms < _HOUR_MS:
            return f"{ms // _MINUTE_MS:.0f} min {ms % _MINUTE_MS // MS_PER_S:.0f} s"
        if ms < _DAY_MS:
            return f"{ms // _HOUR_MS:.0f} h {ms % _HOUR_MS // _MINUTE_MS:.0f} min"
        return f"{ms // _DAY_MS:.0f} d {ms % _DAY_MS // _HOUR_MS:.0f} h"

    def clock(self, ms: float | None) -> str:
        """14:03:05, of this machine."""
        return self.none if not ms else datetime.fromtimestamp(ms / MS_PER_S).strftime("%H:%M:%S")


PLAIN = {"entered": "+", "left": "-", "none": "-", "up": "^", "down": "v", "micro": "u", "more": "...", "cursor": "_"}


def lettering(encoding: str | None) -> Lettering:
    """For a stream with this encoding; plain signs where it cannot say the others."""
    found = Lettering(encoding or "utf-8")
    signs = "".join(getattr(found, name) for name in PLAIN)
    try:
        signs.encode(found.encoding)
    except UnicodeEncodeError:
        return Lettering(found.encoding, **PLAIN)
    return found


def _digits(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0:
        return "0"
    value = float(f"{value:.{_DIGITS}g}")  # 999.9 has four digits before the point once it is rounded
    before = math.floor(math.log10(abs(value))) + 1
    return f"{value:.{max(0, min(12, _DIGITS - before))}f}"
