"""Worker processes as the supervisor sees them: a host, the places in it, and which host a trader gets."""

import contextlib
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import msgpack

from common.settings import Settings
from services.trader.guard import Guard
from services.trader.order import Order
from services.trader.output import Output
from services.trader.watch import Watch
from services.trader.worker import run_worker, tell


class Host:
    """One forked process. Raises OSError or EOFError where forking fails."""

    def __init__(self, settings: Settings, log_path: Path, spawner: ForkServerContext) -> None:
        self.places: dict[int, Place] = {}
        self._number = 0
        self._culprit: Place | None = None
        words = Watch.words(spawner)
        self._watch = Watch(words)
        ours, theirs = spawner.Pipe()
        written, output = spawner.Pipe(duplex=False)
        self._output = Output(written, log_path, settings.trader.log_limit_bytes)
        arguments = (settings, output, theirs, words)
        process = spawner.Process(target=run_worker, args=arguments, name=f"trader-{log_path.stem}", daemon=True)
        try:
            process.start()
        except BaseException:  # whatever kept it from starting, the pipes must not stay open
            ours.close()
            self._output.close()
            raise
        finally:
            theirs.close()
            output.close()
        self._process: ForkServerProcess | None = process
        self._pipe: Connection | None = ours
        assert process.pid
        self._pid, self._status = process.pid, 0
        self._guard = Guard(settings.trader, self._pid, self._watch)

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def exit_status(self) -> int | None:
        """None while it lives; negative for a signal."""
        return self._status if self._process is None else self._process.exitcode

    @property
    def culprit(self) -> "Place | None":
        """Whose work it was at when it ended; None where that was not the cause."""
        blamed = self._guard.at_work or not self._guard.verdict
        if self._culprit is None and blamed and self._watch.began_ns:
            self._culprit = self.places.get(self._watch.member)  # looked up while it still has its place
        return self._culprit

    @property
    def ending(self) -> str:
        """How it ended, and where in its trader's code."""
        self._output.drain()
        status, place = self.exit_status or 0, self._output.place()
        if self._guard.verdict:
            how = self._guard.verdict
        elif status < 0:
            how = f"ended by {_signal(-status)}{self._guard.hint()}"
        else:
            complaint = self._output.complaint()
            return f"ended with status {status}{complaint and ': '}{complaint}"
        return f"{how}{place and ', at '}{place}"

    @property
    def hung(self) -> bool:
        """It was ended at its deadline."""
        return self._guard.at_work

    @property
    def stack(self) -> str:
        """The end of what it wrote, with the stack that a fatal signal left."""
        return self._output.ending()

    @property
    def usable(self) -> bool:
        """It takes in more traders."""
        leaves = all(place.leaving for place in self.places.values())
        return self.exit_status is None and not self._guard.verdict and not leaves

    @property
    def remark(self) -> str:
        """What it does that it should not, while it runs."""
        return self._guard.remark

    def admit(self, place: "Place") -> int:
        """A number for one more."""
        self._number += 1
        self.places[self._number] = place
        return self._number

    def release(self, number: int) -> None:
        """One has gone; with the last, the process."""
        self.places.pop(number, None)
        if not self.places:
            self._close()

    def descriptors(self) -> list[int]:
        """Readable when it ended or said something."""
        if self._process is None:
            return []
        pipe = [self._pipe.fileno()] if self._pipe is not None else []
        return [self._process.sentinel, *pipe, *self._output.descriptors()]

    def listen(self) -> None:
        """Take what it wrote and said, for whichever place."""
        self._output.drain()
        while self._pipe is not None and self._pipe.poll():
            try:
                words = msgpack.unpackb(self._pipe.recv_bytes())
            except (EOFError, OSError, ValueError):
                self._pipe.close()
                self._pipe = None
                return
            place = self.places.get(words.get("member"))
            if place is not None:
                place.hear(words)

    def tell(self, **words: Any) -> None:
        """A word to it; nothing where it has gone."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                tell(self._pipe, **words)

    def look(self, now_ns: int) -> None:
        """End it where it is over a limit."""
        place = self.places.get(self._watch.member)
        if self.exit_status is None:
            self._guard.look(now_ns, "a cycle" if place is None or place.going else "loading")

    def _close(self) -> None:
        """End it now, if it still runs."""
        if self._process is not None:
            if self._process.exitcode is None:
                self._process.kill()
            self._process.join()
            self._status = self._process.exitcode or 0
            self._process.close()
            self._process = None
            self._guard.kill()
            self._output.close()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


class Place:
    """One trader's place in a host. `close` it when it has ended or is to end now."""

    def __init__(self, host: Host, order: Order, group: str) -> None:
        self.order, self.group = order, group
        """The group's name; empty where it has the host for itself."""
        self.started_ns = time.monotonic_ns()
        self.ready = False
        """Its trader is loaded, and what follows is known."""
        self.name = ""
        self.version = ""
        self.helpers: frozenset[Path] = frozenset()
        self.refusal = ""
        """Why it did not load."""
        self.going = False
        """It was given the word to go."""
        self._host = host
        self._slow = ""
        self._ended = self._leaving = self._closed = False
        self._heard = 0
        self._number = host.admit(self)
        host.tell(member=self._number, word="load", order=order.to_words())

    @property
    def pid(self) -> int:
        return self._host.pid

    @property
    def leaving(self) -> bool:
        """It was told to end."""
        return self._leaving or self._closed

    @property
    def exit_status(self) -> int | None:
        """None while it is there; negative for the signal that ended its process."""
        if self._ended and len(self._host.places) > 1:
            return 0
        return self._host.exit_status  # with its last trader the process ends, once its last messages are out

    @property
    def innocent(self) -> bool:
        """Its process ended by another trader's doing."""
        return not self._ended and self._host.culprit not in (None, self)

    @property
    def hung(self) -> bool:
        """Its process was ended at the deadline."""
        return self._host.hung

    @property
    def stack(self) -> str:
        """The end of what its process wrote."""
        return self._host.stack

    @property
    def ending(self) -> str:
        """How it ended."""
        culprit = self._host.culprit
        if self._ended or not self.group or culprit is self:
            return self._host.ending
        if culprit is None:
            return f"its group {self.group!r} {self._host.ending}"
        return f"its group {self.group!r} ended at work on trader {culprit.name or culprit.order.label!r}"

    @property
    def remark(self) -> str:
        """What it does that it should not, while it runs."""
        return "; ".join(filter(None, (self._slow, self._host.remark)))

    def descriptors(self) -> list[int]:
        """Readable when its host ended or said something."""
        return self._host.descriptors()

    def listen(self) -> bool:
        """Take what its host said; True where something was for this one."""
        self._host.listen()
        heard, self._heard = self._heard, 0
        return bool(heard)

    def hear(self, words: dict[str, Any]) -> None:
        """What the host said of it."""
        self._heard += 1
        match words.get("state"):
            case "refused":
                self.refusal = str(words.get("reason"))
            case "ready":
                self.name, self.version = str(words.get("name")), str(words.get("version"))
                self.helpers = frozenset(map(Path, words.get("helpers", ())))
                self.ready = True
            case "slow":
                self._slow = str(words.get("remark"))
            case "ended":
                self._ended = True

    def go(self, incarnation: int, inherits: bool) -> None:
        """Let it run, with what its predecessor left where it `inherits`."""
        self.going = True
        self._host.tell(member=self._number, word="go", incarnation=incarnation, inherits=inherits)

    def stop(self) -> None:
        """Ask it to end."""
        self._leaving = True
        self._host.tell(member=self._number, word="stop")

    def replace(self) -> None:
        """Ask it to end and to leave what it has to its successor."""
        self._leaving = True
        self._host.tell(member=self._number, word="replace")

    def close(self) -> None:
        """End it now, if it still is there, and release what belongs to it."""
        if not self._closed:
            self._closed = True
            if not self._ended:
                self._host.tell(member=self._number, word="drop")
            self._host.release(self._number)


class Hosts:
    """Which process a trader gets: one of its own, or its group's."""

    def __init__(self, settings: Settings, spawner: ForkServerContext) -> None:
        self._settings, self._spawner = settings, spawner
        self._groups: dict[str, Host] = {}
        self._all: list[Host] = []

    def place(self, order: Order, group: str, log_path: Path) -> Place:
        """Raises OSError or EOFError where no process can be started."""
        host = self._groups.get(group) if group else None
        if host is None or not host.usable:
            host = Host(self._settings, log_path, self._spawner)
            self._all.append(host)
            if group:
                self._groups[group] = host
        return Place(host, order, group)

    def look(self, now_ns: int) -> None:
        """End what is over a limit."""
        self._all = [host for host in self._all if host.places]
        for host in self._all:
            host.look(now_ns)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of those for real time
        return f"signal {number}"
