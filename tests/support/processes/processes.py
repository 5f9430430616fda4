"""Real processes for race tests: they start together, run a function of a test module and hand back what it gives."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN_S = 60.0  # a hang is a failure; no run takes a tenth of it


class Racers:
    """Processes that each call `function(**arguments)` at the same moment. None survives the block."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def add(self, function: str, **arguments: Any) -> None:
        """Start a process for `module:function` and wait until it stands at the barrier. Arguments travel as JSON."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__, function, json.dumps(arguments)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._processes.append(process)

    def race(self) -> list[Any]:
        """Let all go at once; what each gave, in the order they were added."""
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise AssertionError(process.communicate(timeout=WITHIN_S)[1])
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = []
        deadline = time.monotonic() + WITHIN_S
        for process in self._processes:
            out, err = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
            assert process.returncode == 0, err
            results.append(json.loads(out))
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            with process:
                process.kill()


def barrier() -> None:
    """Called by a racer when it is ready: returns when all are."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    given = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(given) + "\n")
