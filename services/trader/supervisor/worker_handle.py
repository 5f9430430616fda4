"""WorkerHandle: one trader's worker as the supervisor sees it, in a process of its own or in its group's."""

import time
from pathlib import Path
from typing import Any

from tickflag.services.trader.supervisor.worker_process import WorkerProcess
from tickflag.services.trader.worker.launch_spec import LaunchSpec


class WorkerHandle:
    """Has its worker load the trader on creation. `close` it when the worker has ended or is to end now. One thread."""

    def __init__(self, process: WorkerProcess, spec: LaunchSpec, group: str) -> None:
        self.spec, self.group = spec, group
        """The group's name; empty where this worker has a process of its own."""
        self.started_ns = time.monotonic_ns()
        self.ready = False
        """The trader is loaded: name, version and helpers are known."""
        self.name = ""
        self.version = ""
        self.helpers: frozenset[Path] = frozenset()
        """Files beside its own that the trader imported."""
        self.refusal = ""
        """Why the trader was not loaded."""
        self.running = False
        """The worker was told to run its trader."""
        self._process = process
        self._slow = ""
        self.absent = ""
        """Symbols that the trader names and the market has not."""
        self._ended = self._leaving = self._closed = False
        self._messages = 0
        self._number = process.add(self)
        process.send(member=self._number, word="load", spec=spec.to_words())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def leaving(self) -> bool:
        """Whether the worker was told to end."""
        return self._leaving or self._closed

    @property
    def exit_status(self) -> int | None:
        """None until the worker has ended; negative for the signal that ended its process."""
        if self._ended and len(self._process.workers) > 1:
            return 0
        return self._process.exit_status  # the process ends after its last worker, when its last messages are sent

    @property
    def bystander(self) -> bool:
        """Whether the process ended because of another trader."""
        return not self._ended and self._process.culprit not in (None, self)

    @property
    def overran(self) -> bool:
        """Whether the process was ended at the deadline."""
        return self._process.overran

    @property
    def last_output(self) -> str:
        """The end of what the process wrote."""
        return self._process.last_output

    @property
    def exit_reason(self) -> str:
        """How the worker ended."""
        culprit = self._process.culprit
        if self._ended or not self.group or culprit is self:
            return self._process.exit_reason
        if culprit is None:
            return f"its group {self.group!r} {self._process.exit_reason}"
        return f"its group {self.group!r} ended at work on trader {culprit.name or culprit.spec.label!r}"

    @property
    def excess(self) -> str:
        """What the worker exceeds while it runs: the time of a cycle, or a limit of its process."""
        return "; ".join(filter(None, (self._slow, self._process.excess)))

    def descriptors(self) -> list[int]:
        """Readable when the process ended, wrote something or sent a message."""
        return self._process.descriptors()

    def read_messages(self) -> bool:
        """Read the messages of the process; True where one was for this worker."""
        self._process.read_messages()
        messages, self._messages = self._messages, 0
        return bool(messages)

    def on_message(self, words: dict[str, Any]) -> None:
        """Follow one message about this worker."""
        self._messages += 1
        match words.get("state"):
            case "refused":
                self.refusal = str(words.get("reason"))
            case "ready":
                self.name, self.version = str(words.get("name")), str(words.get("version"))
                self.helpers = frozenset(map(Path, words.get("helpers", ())))
                self.ready = True
            case "slow":
                self._slow = str(words.get("remark"))
            case "absent":
                self.absent = str(words.get("remark"))
            case "ended":
                self._ended = True

    def run(self, incarnation: int, inherits: bool) -> None:
        """Let the trader run. Where it `inherits`, it begins with what its predecessor left."""
        self.running = True
        self._process.send(member=self._number, word="go", incarnation=incarnation, inherits=inherits)

    def stop(self) -> None:
        """Ask the worker to end."""
        self._leaving = True
        self._process.send(member=self._number, word="stop")

    def hand_over(self) -> None:
        """Ask the worker to end, and to leave what its trader has to the successor."""
        self._leaving = True
        self._process.send(member=self._number, word="replace")

    def close(self) -> None:
        """End the worker now, unless it has ended, and release what belongs to it."""
        if not self._closed:
            self._closed = True
            if not self._ended:
                self._process.send(member=self._number, word="drop")
            self._process.remove(self._number)
