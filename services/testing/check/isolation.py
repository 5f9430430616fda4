"""Isolation: checks a trader in a process of its own, so that a crash, an exit or an endless loop becomes a finding."""

import faulthandler
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tickflag.common import limits, probe
from tickflag.common.settings import Settings, load
from tickflag.services.testing.check.finding import Finding

SPARE_S = 10.0  # beyond the deadline, so that the process's own watchdog acts first
LOOK_S = 0.1  # between two looks at the process's memory
FOUR_TIMES = f"{limits.ALLOCATION_FACTOR} times `trader.memory_limit_mb`"
TAIL = 3  # lines of the process's output that a finding shows


class _Memory:
    """Compares what the process took since it began to load the trader with the engine's limit. All runs of the trader
    count together."""

    def __init__(self, pid: int, limit_mb: int) -> None:
        self._pid, self._limit_mb = pid, limit_mb
        self.before_bytes = 0
        """The memory of the process before it loaded the trader; 0 until it has told."""

    def excess(self) -> str:
        """The finding where the process takes too much; else empty."""
        reading = probe.read(self._pid) if self.before_bytes else None
        taken_mb = (reading.memory_bytes - self.before_bytes) >> 20 if reading is not None else 0
        return limits.memory_verdict(taken_mb, self._limit_mb)


def isolated(
    file: Path, own: Mapping[str, Any], deadline_s: float, memory_limit_mb: int
) -> Iterator[Finding | dict[str, Any]]:
    """The findings one by one, and the cost as a dict.

    `deadline_s` limits the time of one call of the trader and of what the check does around the call,
    `memory_limit_mb` the memory that all calls together leave taken.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as output, open(reader, "rb", buffering=0) as lines:
        arguments = (str(writer), str(deadline_s), str(memory_limit_mb), str(file), json.dumps(own))
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tickflag.services.testing.check.isolation", *arguments],
                pass_fds=(writer,), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            os.close(writer)
        memory, done = _Memory(process.pid, memory_limit_mb), False
        try:
            for message in _messages(lines, deadline_s + SPARE_S, memory):
                if "memory" in message:
                    memory.before_bytes = message["memory"]
                elif "finding" in message:
                    yield Finding(*message["finding"])
                elif "cost" in message:
                    yield message["cost"]
                done = done or "done" in message
            if done:
                return
            excess = memory.excess()
            if excess:
                process.send_signal(signal.SIGABRT)  # faulthandler writes where it is
            silent = not _ends(process)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        told = output.read().decode(errors="replace")
        if not excess and "MemoryError" in told and process.returncode > 0:
            excess = f"allocated more than {limits.ALLOCATION_FACTOR * memory_limit_mb:,} MB of memory ({FOUR_TIMES})"
        deadline_passed = not excess and (silent or "Timeout (" in told)
        yield _ended(process.returncode, told, file, deadline_s if deadline_passed else 0.0, excess)


def _ends(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the silent process is ending, and not hanging."""
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _messages(lines: Any, timeout_s: float, memory: _Memory) -> Iterator[dict[str, Any]]:
    """The process's messages, until the process closes its end, is silent for `timeout_s` or takes too much memory."""
    rest, due_s = b"", time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(lines, selectors.EVENT_READ)
        while time.monotonic() < due_s and not memory.excess():
            if not selector.select(LOOK_S):
                continue
            data = lines.read(1 << 16)
            if not data:
                return
            due_s = time.monotonic() + timeout_s
            *whole, rest = (rest + data).split(b"\n")
            yield from map(json.loads, whole)


def _ended(status: int, output: str, file: Path, deadline_s: float, excess: str) -> Finding:
    """The finding that says why the process did not finish its checks. `deadline_s` is 0 where no deadline passed,
    `excess` empty where its memory sufficed."""
    if excess:
        what, do = f"it {excess}", "in the engine its process would be ended then, and started again: keep less"
    elif deadline_s:
        what, do = (
            f"a call did not end within {deadline_s:g} s",
            "in the engine its process would be killed then, and started again",
        )
    elif status < 0:
        what, do = (
            f"its process died of {signal.Signals(-status).name}",
            "a compiled part of it, or of what it uses, failed",
        )
    else:
        what, do = f"it ended its process, with exit code {status}", "a trader ends nothing: raise an exception"
    stack = re.findall(rf'File "{re.escape(str(file.resolve()))}", line (\d+)', output)
    wrote = [line for line in output.splitlines() if line.strip()][:TAIL] if not stack else []
    where = f" (line {stack[0]})" if stack else ""
    return Finding("process", "fail", what + where + "".join(f"; {line.strip()}" for line in wrote), do)


def main(descriptor: int, deadline_s: float, memory_limit_mb: int, file: Path, own: Mapping[str, Any]) -> None:
    """Run the checks in this process, and write the findings to the descriptor, a JSON object a line."""
    from tickflag.common.streams import accept_any_text
    from tickflag.services.testing.check.check import Check

    accept_any_text()

    def send(**message: Any) -> None:
        os.write(descriptor, json.dumps(message).encode() + b"\n")

    def on_progress() -> None:
        faulthandler.dump_traceback_later(deadline_s, exit=True)
        send(alive=True)

    faulthandler.enable()
    os.set_inheritable(descriptor, False)
    check = Check(load(), file.resolve(), own, on_progress)
    _warm_up(load(), lambda: send(alive=True))
    on_progress()
    if sys.platform == "linux":
        limits.limit_memory(limits.ALLOCATION_FACTOR * memory_limit_mb << 20)
    send(memory=probe.memory_bytes())
    for finding in check.run():
        send(finding=finding)
    faulthandler.cancel_dump_traceback_later()
    if check.cost is not None:
        send(cost=asdict(check.cost))
    send(done=True)


def _warm_up(settings: Settings, on_progress: Callable[[], None]) -> None:
    """Take the memory that the checks themselves need: that of a market with a trader that does nothing."""
    from tickflag.common.traderapi import Market, Trader
    from tickflag.services.testing.check.cost import measure
    from tickflag.services.trader.evaluation.plugin.plugin import Plugin

    def nothing(market: Market) -> Any:
        return market.last > float("inf")

    trader = Trader(name="warm-up", candles=settings.segment.intervals[0], look_back=20)
    measure(settings, lambda: Plugin(trader, nothing, None), on_progress)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), json.loads(sys.argv[5]))
