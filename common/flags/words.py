"""Words: what a field of a feature flag holds, as people read it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tickflag.common.units import MS_PER_S, S_PER_UNIT


def in_words(field: str, value: Any) -> str:
    """The value of a field of a feature flag, as JSON holds it, in plain words; empty where nothing is set.

    A value of another form than the field has, as a file that was edited may have left it in the history, is shown too.
    """
    try:
        if isinstance(value, bool):
            return _on_off(value)
        if value is None or value in ("", [], {}, ()):
            return ""
        if field == "percentage":
            return f"{value:g} %"
        if field in ("force", "owners"):
            return ", ".join(f"{name} {_on_off(on)}" for name, on in value.items())
        if field == "arms":
            return ", ".join(_arm(arm) for arm in value)
        if field == "ramp":
            return _ramp(value)
    except (AttributeError, KeyError, IndexError, OSError, OverflowError, TypeError, ValueError):
        pass
    return _any(value)


def _arm(arm: Mapping[str, Any]) -> str:
    return f"{arm['name']} {arm['share']:g} %{'' if arm.get('value', True) else ' off'}"


def _ramp(ramp: Mapping[str, Any]) -> str:
    """`5 % for 1h, 25 % for 1d, 100 % after approval; begun 2026-07-01 12:00:05 UTC; approved once; halted`."""
    steps: Sequence[Any] = ramp["steps"]
    parts = [", ".join(_step(*step, last=step is steps[-1]) for step in steps)]
    begun = datetime.fromtimestamp(ramp["started_ms"] / MS_PER_S, UTC)
    parts.append(f"begun {begun:%Y-%m-%d %H:%M:%S} UTC")
    approved = len(ramp.get("approved_ms", ()))
    if approved:
        parts.append("approved once" if approved == 1 else f"approved {approved} times")
    if ramp.get("halted_ms") is not None:
        parts.append("halted")
    return "; ".join(parts)


def _step(percentage: float, hold_s: float, approval: bool = False, *, last: bool) -> str:
    held = "" if last and not hold_s else f" for {_duration(hold_s)}"
    return f"{percentage:g} %{' after approval' if approval else ''}{held}"


def _duration(seconds: float) -> str:
    """As operators write it: `90s`, `2m`, `1d`."""
    units = (unit for unit in reversed(S_PER_UNIT) if seconds and seconds % S_PER_UNIT[unit] == 0)
    unit = next(units, "s")
    return f"{seconds / S_PER_UNIT[unit]:g}{unit}"


def _on_off(value: bool) -> str:
    return "on" if value else "off"


def _any(value: Any) -> str:
    """Values without the marks of a programming language."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_any(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_any(inner) for inner in value)
    if isinstance(value, bool):
        return _on_off(value)
    if isinstance(value, float):
        return f"{value:g}"
    return "nothing" if value is None else str(value)
