"""Real processes for race tests: they start together, run a function of a test module and hand back its result."""

import importlib
import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from tests.support.documents.pages import ROOT
from tests.support.processes.waiting import WITHIN_S, Deadline, allowed_s


class Racers:
    """Processes that each call `function(**arguments)` at the same moment. None survives the block."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def add(self, function: str, **arguments: Any) -> None:
        """Start a process for `module:function` and wait until it is at the barrier. Arguments travel as JSON."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__, function, json.dumps(arguments)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._processes.append(process)

    def race(self) -> list[Any]:
        """Start all at once; gives their results, in the order in which they were added."""
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise AssertionError(process.communicate(timeout=allowed_s(WITHIN_S))[1])
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = []
        deadline = Deadline(WITHIN_S)
        for process in self._processes:
            out, err = process.communicate(timeout=deadline.left_s())
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
    """Called by a racer that is ready: returns when all are."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    given = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(given) + "\n")
