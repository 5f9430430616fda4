"""Raw Binance captures: one websocket message a line, in an envelope that tells when it was received."""

import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from common.recordings.checks import (
    KLINE_NUMBERS,
    TICK_NUMBERS,
    RowChecks,
    check_kline,
    check_tick,
    without_value,
)
from common.recordings.errors import Fault, RecordingError, Unit
from common.recordings.interval import interval_seconds
from common.recordings.symbols import SymbolIndex, symbol_fault
from services.feed.recordings.lines import read_lines
from services.feed.recordings.messages import (
    KLINE_FIELDS,
    TICK_FIELDS,
    FieldFault,
    MessageDecoder,
    is_binance,
    payloads,
)
from services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    Records,
    Survey,
    TickChunk,
)
from services.feed.recordings.records import pick

# Order book messages are most of many captures, so they are told by how the line begins and are never parsed. Lines
# written in another way (spaces, other key order) are merely slower.
_UNREAD = re.compile(
    rb'\{"recv_(?:ns|ts)":[0-9.e+]+,(?:"conn":"[^"]*",)?"msg":'
    rb'(?:\{"stream":"(?:[^"@]*@)?!?(depth|markPrice)(?=[@"0-9])'
    rb'|\[?\{"e":"(depth|markPrice)Update"'
    rb'|\{"lastUpdateId":[0-9]+,"()(?:E|T|bids|symbol|pair)")'
)
_UNREAD_KINDS = {b"depth": "depth", b"markPrice": "markPrice", b"": "snapshot"}

_RECEIVED = re.compile(rb'"recv_(ns|ts)":\s*([0-9.e+]+)')
_SYMBOL = re.compile(rb'"s":\s*"((?:[^"\\]|\\.)+)"')
_INTERVAL = re.compile(rb'"i":\s*"([^"\\]+)"')

_LOOKED_AT = 1_000
"""Lines from the start among which one must hold a Binance message."""

_MAX_NS = 9_000_000_000_000_000_000
_decode_json = JSONDecoder().raw_decode


class BinanceCapture(Recording):
    """A capture of Binance market streams, spot or futures. Replay time is the time of receipt.

    Best bid and ask, trades, 24 h tickers and klines (forming and closed) become rows. Order books, mark prices and
    whatever else is sound is skipped and counted by kind, in messages. Event time is that of the trade or change, else
    of the message, else of its receipt. A line's fault refuses the line, or one element of an array message.
    """

    unit: ClassVar[Unit] = "line"

    def __init__(self, path: Path, on_fault: Callable[[Fault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._index = SymbolIndex()
        self._floor_ns = 0
        self._refuse_strangers()

    def _refuse_strangers(self) -> None:
        seen = received = 0
        for line in islice(read_lines(self._path), _LOOKED_AT):
            try:
                envelope = _parse(line)
            except FieldFault:
                continue
            if "msg" not in envelope or _is_own(envelope):
                continue
            seen += 1
            if _received_text(envelope) is not None:
                received += 1
                if any(is_binance(payload) for payload in payloads(envelope["msg"])):
                    return
        if not seen:
            raise RecordingError(
                self.name, 'not a recording: no line is an envelope {"recv_ts" or "recv_ns": time, "msg": message}'
            )
        if not received:
            raise RecordingError(self.name, "the messages have no time of receipt (recv_ts or recv_ns): no replay")
        raise RecordingError(
            self.name,
            f"no Binance market message among the first {seen} messages, and captures of other venues are not read",
        )

    def _look_through(self) -> Survey:
        symbols: dict[str, None] = {}
        intervals: set[int] = set()
        first = last = None
        rows = 0
        try:
            for line in read_lines(self._path):
                rows += 1
                if _UNREAD.match(line):
                    continue
                received = _RECEIVED.search(line, 0, 200)
                if received is None:
                    continue
                first, last = first or received, received
                symbols.update((_text(raw), None) for raw in _SYMBOL.findall(line))
                if b'"kline"' in line:
                    found = (interval_seconds(raw.decode(errors="replace")) for raw in _INTERVAL.findall(line))
                    intervals.update(seconds for seconds in found if seconds is not None)
        except RecordingError:
            pass  # reading will say so, after it gave what comes before the damage
        names = tuple(name for name in symbols if symbol_fault(name) is None)
        return Survey(names, frozenset(intervals), _received_ns(first), _received_ns(last), rows)

    def _read(self) -> Iterator[Chunk]:
        self._floor_ns = 0
        decoder = MessageDecoder(self._index)
        try:
            for number, line in enumerate(read_lines(self._path), start=1):
                unread = _UNREAD.match(line)
                # Without its end the line is a broken one, which parsing it will tell.
                if unread is not None and line.endswith(b"}\n"):
                    self._skip(_UNREAD_KINDS[unread[unread.lastindex or 0]])
                    continue
                try:
                    self._add(line, number, decoder)
                except FieldFault as fault:
                    self._faults.add(number, fault.field, fault.reason)
                if decoder.count >= self._chunk_rows:
                    yield from self._flush(decoder)
        except RecordingError:
            yield from self._flush(decoder)
            raise
        yield from self._flush(decoder)

    def _add(self, line: bytes, number: int, decoder: MessageDecoder) -> None:
        if line.isspace():
            return
        envelope = _parse(line)
        message = envelope.get("msg")
        if message is None or "sent_ts" in envelope:
            if _is_own(envelope):
                return
            raise FieldFault("msg", "is missing")
        recv_ns = _receipt_ns(envelope)
        found = payloads(message)
        if recv_ns < self._floor_ns and any(decoder.wants(payload) for payload in found):
            raise FieldFault("recv_ns or recv_ts", f"{recv_ns} ns is before the time of an earlier line")
        before = decoder.count
        kinds: set[str | None] = set()
        for payload in found:
            try:
                kinds.add(decoder.add(payload, recv_ns, number))
            except FieldFault as fault:
                self._faults.add(number, fault.field, fault.reason)
        for kind in kinds:
            if kind is not None:
                self._skip(kind)
        if decoder.count > before:
            self._floor_ns = recv_ns

    def _flush(self, decoder: MessageDecoder) -> Iterator[Chunk]:
        """Give the collected rows that pass the checks, ticks and candles in line order."""
        ticks, tick_lines = self._checked_ticks(decoder)
        klines, kline_lines = self._checked_klines(decoder)
        decoder.clear()
        names = self._index.names
        used = 0
        # How many ticks come before each candle: candles with the same count stand together.
        before = np.searchsorted(tick_lines, kline_lines, side="right")
        edges = [0, *(np.flatnonzero(before[1:] != before[:-1]) + 1).tolist(), len(before)]
        for start, stop in pairwise(edges):
            if start < stop:
                ticks_before = int(before[start])
                yield TickChunk(names, ticks[used:ticks_before])
                yield KlineChunk(names, klines[start:stop])
                used = ticks_before
        yield TickChunk(names, ticks[used:])

    def _checked_ticks(self, decoder: MessageDecoder) -> tuple[Records, NDArray[np.int64]]:
        ticks: Records = np.array(decoder.ticks, TICK_INPUT)
        lines = np.array(decoder.tick_lines, np.int64)
        checks = RowChecks(len(ticks))
        values = {name: np.ascontiguousarray(ticks[name]) for name in TICK_NUMBERS}
        stated = dict(values)
        check_tick(checks, values)
        for name, numbers in values.items():
            if numbers is not stated[name]:
                ticks[name] = numbers
        checks.report(self._faults, lines, TICK_FIELDS)
        keep = ~checks.refused
        empty = keep & without_value(values)
        self._skip("no value", int(np.count_nonzero(empty)))
        return _kept(ticks, lines, keep ^ empty)

    def _checked_klines(self, decoder: MessageDecoder) -> tuple[Records, NDArray[np.int64]]:
        klines: Records = np.array(decoder.klines, KLINE_INPUT)
        lines = np.array(decoder.kline_lines, np.int64)
        checks = RowChecks(len(klines))
        values = {name: np.ascontiguousarray(klines[name]) for name in KLINE_NUMBERS}
        check_kline(checks, values, klines["open_ns"], klines["interval_s"].astype(np.int64))
        checks.report(self._faults, lines, KLINE_FIELDS)
        return _kept(klines, lines, ~checks.refused)


def _kept(records: Records, lines: NDArray[np.int64], keep: NDArray[np.bool_]) -> tuple[Records, NDArray[np.int64]]:
    return (records, lines) if keep.all() else (pick(records, np.flatnonzero(keep)), lines[keep])


def _parse(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode()
        envelope, end = _decode_json(text)
    except JSONDecodeError as error:
        raise FieldFault("", f"the line is not JSON ({error.msg} at character {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:  # bytes that are not UTF-8, numbers or nesting beyond all bounds
        raise FieldFault("", f"the line is not JSON ({error})") from error
    if type(envelope) is not dict or (not text[end:].isspace() and end != len(text)):
        raise FieldFault("", "the line is not one JSON object")
    return envelope


def _is_own(envelope: dict[str, Any]) -> bool:
    # What the recording client did itself: it connected, or sent a request.
    return "connect_ts" in envelope or "sent_ts" in envelope


def _received_text(envelope: dict[str, Any]) -> str | None:
    return next((key for key in ("recv_ns", "recv_ts") if key in envelope), None)


def _receipt_ns(envelope: dict[str, Any]) -> int:
    """Give the time of receipt. Seconds are kept to the microsecond, which is what a float of today's time can hold."""
    nanos = envelope.get("recv_ns")
    if type(nanos) is int and 0 < nanos <= _MAX_NS:
        return nanos
    seconds = envelope.get("recv_ts")
    if nanos is None and isinstance(seconds, (float, int)) and 0 < seconds <= _MAX_NS / 1e9:
        return round(seconds * 1e6) * 1_000
    field = _received_text(envelope)
    if field is None:
        raise FieldFault("recv_ns or recv_ts", "is missing")
    raise FieldFault(field, f"{str(envelope[field])[:60]!r} is not a time since 1970")


def _text(raw: bytes) -> str:
    """What stands between the quotes of a JSON string; nothing where that is none."""
    if b"\\" not in raw:
        return raw.decode(errors="replace")
    try:
        return str(_decode_json(f'"{raw.decode()}"')[0])
    except ValueError:
        return ""


def _received_ns(match: re.Match[bytes] | None) -> int | None:
    if match is None:
        return None
    try:
        return int(match[2]) if match[1] == b"ns" else round(float(match[2]) * 1e6) * 1_000
    except (ValueError, OverflowError):
        return None
