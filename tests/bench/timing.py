"""Timing: medians over repeats, both sides interleaved, so that a noisy machine is noisy for both."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

K = TypeVar("K")


def per_call_ns(function: Callable[[], object], calls: int, repeats: int = 9) -> float:
    """CPU ns of one call: the median over `repeats` of loops of `calls`."""
    function()
    return statistics.median(_loop_ns(function, calls) for _ in range(repeats))


def per_call_beside_ns(functions: dict[K, Callable[[], object]], calls: int, repeats: int = 9) -> dict[K, float]:
    """As `per_call_ns`, for several functions that are measured in turn."""
    for function in functions.values():
        function()
    times: dict[K, list[float]] = {key: [] for key in functions}
    for repeat in range(repeats):
        for key in in_turn(list(functions), repeat):
            times[key].append(_loop_ns(functions[key], calls))
    return {key: statistics.median(values) for key, values in times.items()}


def cpu_ns(function: Callable[..., object], *arguments: object) -> int:
    """CPU ns of this thread for one call."""
    began = time.thread_time_ns()
    function(*arguments)
    return time.thread_time_ns() - began


def in_turn(keys: Sequence[K], repeat: int) -> Iterator[K]:
    """All keys, beginning with another one in each repeat: no key always comes first or after the same key."""
    at = repeat % len(keys)
    return iter([*keys[at:], *keys[:at]])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which the given share of them is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _loop_ns(function: Callable[[], object], calls: int) -> float:
    began = time.thread_time_ns()
    for _ in range(calls):
        function()
    return (time.thread_time_ns() - began) / calls
