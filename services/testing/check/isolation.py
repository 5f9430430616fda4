"""Guard: a trader is checked in a process of its own, so that a crash, an exit or an endless loop is a finding."""

import faulthandler
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.testing.finding import Finding

SPARE_S = 10.0  # beyond the deadline: the process's own watchdog comes first
TAIL = 3  # lines of what it wrote


def guarded(file: Path, own: Mapping[str, Any], deadline_s: float) -> Iterator[Finding | dict[str, Any]]:
    """The findings as they come, and as a dict the cost. `deadline_s` is what a call of the trader may take, and
    what is done around it."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as output, open(reader, "rb", buffering=0) as lines:
        arguments = (str(writer), str(deadline_s), str(file), json.dumps(own))
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.testing.guard", *arguments],
                pass_fds=(writer,), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            os.close(writer)
        done = False
        try:
            for message in _messages(lines, deadline_s + SPARE_S):
                if "finding" in message:
                    yield Finding(*message["finding"])
                elif "cost" in message:
                    yield message["cost"]
                done = done or "done" in message
            if done:
                return
            silent = not _ends(process)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        told = output.read().decode(errors="replace")
        yield _ended(process.returncode, told, file, deadline_s if silent or "Timeout (" in told else 0.0)


def _ends(process: "subprocess.Popen[bytes]") -> bool:
    """It says no more because it ends, and not because it stands still."""
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _messages(lines: Any, timeout_s: float) -> Iterator[dict[str, Any]]:
    """What the process says, until it says no more or is silent for too long."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(lines, selectors.EVENT_READ)
        while selector.select(timeout_s):
            data = lines.read(1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from map(json.loads, whole)


def _ended(status: int, output: str, file: Path, deadline_s: float) -> Finding:
    """Why the process did not come to the end of its checks; with a deadline where it did not meet that."""
    if deadline_s:
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


def main(descriptor: int, deadline_s: float, file: Path, own: Mapping[str, Any]) -> None:
    """The checks in this process; what they come to goes to the descriptor, a JSON object a line."""
    from common.settings import load
    from services.testing.check import Check

    def say(**message: Any) -> None:
        os.write(descriptor, json.dumps(message).encode() + b"\n")

    def turn() -> None:
        faulthandler.dump_traceback_later(deadline_s, exit=True)
        say(alive=True)

    faulthandler.enable()
    os.set_inheritable(descriptor, False)
    check = Check(load(), file.resolve(), own, turn)
    turn()
    for finding in check.run():
        say(finding=finding)
    faulthandler.cancel_dump_traceback_later()
    if check.cost is not None:
        say(cost=asdict(check.cost))
    say(done=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))
