"""Quantities as people read them: numbers of bytes, durations."""

from tickflag.common.units import MS_PER_S, S_PER_HOUR


def byte_size(count: float) -> str:
    """A number of bytes as people read it: `48.2 MB`, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(ms: float) -> str:
    """`250 ms`, `12.3 s`, `4 min`, `3.5 h`."""
    hour_ms = S_PER_HOUR * MS_PER_S
    if ms < MS_PER_S:
        return f"{ms:.0f} ms"
    if ms < 120 * MS_PER_S:
        return f"{ms / MS_PER_S:.1f} s"
    return f"{ms / (60 * MS_PER_S):.0f} min" if ms < 2 * hour_ms else f"{ms / hour_ms:.1f} h"
