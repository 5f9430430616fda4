"""Controls the wall clock that a trader's code sees, to find answers that follow the clock."""

import datetime as dates
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from types import ModuleType
from typing import Any

from tickflag.common.units import NS_PER_S


@contextmanager
def wall_clock(now_ns: Callable[[], int], modules: Iterable[ModuleType]) -> Iterator[None]:
    """Inside the block every clock of `time` and `datetime` shows the UTC time `now_ns()`, also where `modules` have
    imported it by name."""
    replaced = _replacements(now_ns)
    originals: list[tuple[dict[str, Any], str, Any]] = []
    for names in [vars(module) for module in (time, dates, *modules)]:
        for name, value in list(names.items()):
            for original, other in replaced:
                if value is original:
                    originals.append((names, name, value))
                    names[name] = other
    try:
        yield
    finally:
        for names, name, value in originals:
            names[name] = value


def _replacements(now_ns: Callable[[], int]) -> list[tuple[Any, Any]]:
    def now() -> float:
        return now_ns() / NS_PER_S

    class _LikeOriginal(type):
        """Lets values made by the original class count as instances."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime if cls is HeldDatetime else date)

    class HeldDatetime(datetime, metaclass=_LikeOriginal):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.fromtimestamp(now(), dates.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return datetime.fromtimestamp(now())

    class HeldDate(date, metaclass=_LikeOriginal):
        @classmethod
        def today(cls) -> Any:
            return date.fromtimestamp(now())

    def broken_down(original: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda seconds=None: original(now() if seconds is None else seconds)

    strftime, localtime = time.strftime, time.localtime
    seconds = [(original, now) for original in (time.time, time.monotonic, time.perf_counter)]
    whole = [(original, now_ns) for original in (time.time_ns, time.monotonic_ns, time.perf_counter_ns)]
    parts = [(original, broken_down(original)) for original in (time.localtime, time.gmtime, time.ctime)]
    text = [(strftime, lambda form, parts=None: strftime(form, parts or localtime(now())))]
    return [*seconds, *whole, *parts, *text, (datetime, HeldDatetime), (date, HeldDate)]
