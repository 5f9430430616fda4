"""The rivals' processes, each doing the same work.

`python -m tests.bench.rigs.rival KIND ROLE FOLDER PERIOD_NS NUMBER` is one of them:

    tick      the publisher sends one msgpack message a tick; consumers keep windows of 20 prices of their own
    batch     the same, with the ticks of a period in one message
    array     the publisher writes prices and windows into a shared array; consumers evaluate every symbol each period
    collector receives the signals of all of them

They use only zmq, msgpack and numpy. Ticks have the fields that ours have.
"""

import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import zmq

from tests.bench.board import DONE, GENERATED, READY, START, opened, words
from tests.bench.rigs.load import PRICE, THRESHOLD, WINDOW, Load
from tests.bench.rigs.metronome import Metronome

CONSUMERS = 4
END = b"\xc0"  # msgpack's nil


def endpoint(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"


def publish(folder: Path, kind: str, period_ns: int) -> None:
    """Each period, when the metronome ticks, hand over what was created."""
    load = Load.read(folder / "load.json")
    board = words(folder / "board")
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.sndhwm = 0  # lose nothing, whatever it costs
    socket.bind(endpoint(folder, "ticks"))
    send = _sender(kind, socket, load, folder)
    board[READY + CONSUMERS] = 1
    while not board[START]:
        time.sleep(0.001)
    start_ns = int(board[START])
    metronome = Metronome(period_ns, start_ns)
    poll = select.poll()
    poll.register(metronome.fileno(), select.POLLIN)
    done = 0
    while done < load.count:
        poll.poll()
        metronome.take()
        due = load.due(start_ns, time.monotonic_ns())
        if due > done:
            send(done, due)
            done = due
            board[GENERATED] = done
    socket.send(END)
    _wait_for_end(context)


def _sender(kind: str, socket: Any, load: Load, folder: Path) -> Callable[[int, int], None]:
    names, pack = load.names, msgpack.Packer().pack
    slots, prices = load.slots.tolist(), load.prices.tolist()

    def message(i: int) -> list[Any]:
        price = prices[i]
        return [names[slots[i]], i + 1, price, 1.0, price * 0.9995, price * 1.0005, time.time_ns()]

    def one_by_one(first: int, last: int) -> None:
        for i in range(first, last):
            socket.send(pack(message(i)))

    def together(first: int, last: int) -> None:
        socket.send(pack([message(i) for i in range(first, last)]))

    if kind == "tick":
        return one_by_one
    if kind == "batch":
        return together
    array = opened(folder / "array").view(np.float64).reshape(load.symbols, WINDOW + 2)
    heads = np.zeros(load.symbols, np.int64)

    def write(first: int, last: int) -> None:
        """Write the newest price of each symbol, and one entry of its window."""
        changed, place = np.unique(load.slots[first:last][::-1], return_index=True)
        newest = last - 1 - place
        array[changed, WINDOW] = load.prices[newest]
        array[changed, WINDOW + 1] = newest + 1
        array[changed, heads[changed] % WINDOW] = load.prices[newest]
        heads[changed] += 1

    return write


def consume(folder: Path, kind: str, number: int) -> None:
    """Keep windows of the last 20 prices, send every match to the collector, and record when which tick was seen."""
    load = Load.read(folder / "load.json")
    board = words(folder / "board")
    context = zmq.Context()
    ticks = context.socket(zmq.SUB)
    ticks.rcvhwm = 0
    ticks.subscribe(b"")
    ticks.connect(endpoint(folder, "ticks"))
    results = context.socket(zmq.PUSH)
    results.connect(endpoint(folder, "results"))
    path = folder / f"ledger-{number}"
    seen = words(path) if path.exists() else None
    windows: dict[str, list[Any]] = {
        name: [0, PRICE * WINDOW, *[PRICE] * WINDOW] for name in load.names
    }  # index of the next entry, sum, prices
    pack, unpack, now_ns = msgpack.Packer().pack, msgpack.unpackb, time.monotonic_ns

    def take(message: list[Any]) -> None:
        name, seq, price = message[0], message[1], message[2]
        window = windows[name]
        place = window[0] + 2
        total = window[1] = window[1] + price - window[place]
        window[place] = price
        window[0] = place - 1 if place < WINDOW + 1 else 0
        matches = price > THRESHOLD * total / WINDOW or price > PRICE * THRESHOLD
        if seen is not None:
            seen[seq] = now_ns()
        if matches:
            results.send(pack([number, name, seq]))

    board[READY + number] = 1
    while True:
        frame = ticks.recv()
        if frame == END:
            break
        message = unpack(frame)
        if kind == "tick":
            take(message)
        else:
            for tick in message:
                take(tick)
    board[DONE + number] = 1
    _wait_for_end(context)


def evaluate_all(folder: Path, period_ns: int, number: int) -> None:
    """Each period, evaluate the rule on every symbol of the shared array, and send changed scores to the collector."""
    load = Load.read(folder / "load.json")
    board = words(folder / "board")
    array = opened(folder / "array").view(np.float64).reshape(load.symbols, WINDOW + 2)
    context = zmq.Context()
    results = context.socket(zmq.PUSH)
    results.connect(endpoint(folder, "results"))
    board[READY + number] = 1
    while not board[START]:
        time.sleep(0.001)
    due_ns = int(board[START])
    scores = np.zeros(load.symbols)
    names = load.names
    while not board[DONE + number]:
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        due_ns += period_ns
        last = board[GENERATED] >= load.count
        price = array[:, WINDOW]
        matches = (price > THRESHOLD * array[:, :WINDOW].mean(axis=1)) | (price > PRICE * THRESHOLD)
        fresh = np.where(matches, array[:, WINDOW + 1], 0.0)
        changed = np.flatnonzero(fresh != scores)
        if len(changed):
            results.send(msgpack.packb([number, {names[slot]: float(fresh[slot]) for slot in changed}]))
            scores = fresh
        if last:
            board[DONE + number] = 1
    _wait_for_end(context)


def collect(folder: Path) -> None:
    """Keep every consumer's matches, and record when which signal came."""
    board = words(folder / "board")
    context = zmq.Context()
    results = context.socket(zmq.PULL)
    results.rcvhwm = 0
    results.bind(endpoint(folder, "results"))
    matches: list[dict[str, float]] = [{} for _ in range(CONSUMERS)]
    times: list[tuple[int, int, int]] = []
    board[READY + CONSUMERS + 1] = 1
    while not board[DONE + CONSUMERS]:
        if not results.poll(50):
            continue
        number, *rest = msgpack.unpackb(results.recv())
        if len(rest) == 1:
            matches[number].update(rest[0])
        else:
            name, seq = rest
            matches[number][name] = seq
            times.append((number, seq, time.monotonic_ns()))
    np.save(folder / "signals.npy", np.array(times, np.int64).reshape(-1, 3))
    board[DONE + CONSUMERS + 1] = 1
    _wait_for_end(context)


def _wait_for_end(context: Any) -> None:
    """Wait until the benchmark has read our CPU and ends us."""
    while not context.closed:
        time.sleep(1.0)


def main() -> None:
    kind, role, folder, period_ns, number = sys.argv[1:6]
    if role == "publisher":
        publish(Path(folder), kind, int(period_ns))
    elif role == "collector":
        collect(Path(folder))
    elif kind == "array":
        evaluate_all(Path(folder), int(period_ns), int(number))
    else:
        consume(Path(folder), kind, int(number))


if __name__ == "__main__":
    main()
