"""Raw Binance captures: one websocket message a line, in an envelope that tells when it was received."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tickflag.common.arrays import Integers, Mask, Records
from tickflag.common.recordings.checks import (
    KLINE_NUMBERS,
    TICK_NUMBERS,
    RowChecks,
    check_kline,
    check_tick,
    without_value,
)
from tickflag.common.recordings.errors import RecordingError, RowFault, Unit
from tickflag.common.recordings.symbols import SymbolIndex
from tickflag.common.units import NS_PER_S, NS_PER_US, US_PER_S
from tickflag.services.feed.recordings.captures.envelope import UNREAD, UNREAD_KINDS, parse_envelope
from tickflag.services.feed.recordings.captures.id_ranges import IdRanges
from tickflag.services.feed.recordings.captures.lines import read_lines
from tickflag.services.feed.recordings.captures.message_fields import FieldFault
from tickflag.services.feed.recordings.captures.messages import (
    AGGREGATES,
    KLINE_FIELDS,
    NOT_MARKET,
    TICK_FIELDS,
    MessageDecoder,
    is_binance,
    payloads,
)
from tickflag.services.feed.recordings.captures.survey import survey_capture
from tickflag.services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    Survey,
    TickChunk,
)
from tickflag.services.feed.recordings.records import pick

_LOOKED_AT = 1_000
"""One of this many lines from the start must hold a Binance message."""

_BACKSLASH = ord("\\")
_MAX_NS = 9_000_000_000_000_000_000


class BinanceCapture(Recording):
    """A capture of Binance market streams, spot or futures. Replay time is the time of receipt.

    Best bid and ask, trades, 24 h tickers and klines (forming and closed) become rows. All other sound messages, such
    as order books and mark prices, are skipped and counted by kind. Event time is the time of the trade or change, else
    of the message, else of its receipt. A fault refuses its line, or only its element of an array message.
    """

    unit: ClassVar[Unit] = "line"

    def __init__(self, path: Path, on_fault: Callable[[RowFault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._index = SymbolIndex()
        self._floor_ns = 0
        self._numbered: Mapping[str, IdRanges] = {}
        self._refuse_strangers()

    def _refuse_strangers(self) -> None:
        seen = received = 0
        for line in islice(read_lines(self._path), _LOOKED_AT):
            try:
                envelope = parse_envelope(line)
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
        return survey_capture(self._path)

    def verdict(self) -> list[str]:
        told = [(kind, self.skipped[kind]) for kind in (AGGREGATES, NOT_MARKET) if kind in self.skipped]
        return super().verdict() + [f"{self.name}: {count:,} messages left out: {kind}" for kind, count in told]

    def expect(self, numbered: Mapping[str, IdRanges]) -> None:
        self._numbered = numbered

    def _read(self) -> Iterator[Chunk]:
        self._floor_ns = 0
        decoder = MessageDecoder(self._index)
        decoder.numbered = self._numbered
        try:
            for number, line in enumerate(read_lines(self._path), start=1):
                unread = UNREAD.match(line)
                # A line without its end is broken, which parsing reports.
                if unread is not None and line.endswith(b"}\n"):
                    self._skip(UNREAD_KINDS[unread[unread.lastindex or 0]])
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
        try:
            envelope = parse_envelope(line)
        except FieldFault:
            if line.isspace():
                return
            raise
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
        decoder.escaped = _BACKSLASH in line
        kinds: list[str] = []
        for payload in found:
            try:
                kind = decoder.add(payload, recv_ns, number)
            except FieldFault as fault:
                self._faults.add(number, fault.field, fault.reason)
                continue
            if kind is not None and kind not in kinds:
                kinds.append(kind)
        for kind in kinds:
            self._skip(kind)
        if decoder.count > before:
            self._floor_ns = recv_ns

    def _flush(self, decoder: MessageDecoder) -> Iterator[Chunk]:
        """The collected rows that pass the checks, ticks and candles in line order."""
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

    def _checked_ticks(self, decoder: MessageDecoder) -> tuple[Records, Integers]:
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

    def _checked_klines(self, decoder: MessageDecoder) -> tuple[Records, Integers]:
        klines: Records = np.array(decoder.klines, KLINE_INPUT)
        if len(klines):
            names, ends = self._index.names, self.survey.brought
            pairs = zip(klines["symbol"].tolist(), klines["interval_s"].tolist(), strict=True)
            klines["until_ns"] = [ends.get((names[symbol], interval_s), 0) for symbol, interval_s in pairs]
        lines = np.array(decoder.kline_lines, np.int64)
        checks = RowChecks(len(klines))
        values = {name: np.ascontiguousarray(klines[name]) for name in KLINE_NUMBERS}
        check_kline(checks, values, klines["open_ns"], klines["interval_s"].astype(np.int64))
        klines["high"], klines["low"] = values["high"], values["low"]
        checks.report(self._faults, lines, KLINE_FIELDS)
        return _kept(klines, lines, ~checks.refused)


def _kept(records: Records, lines: Integers, keep: Mask) -> tuple[Records, Integers]:
    return (records, lines) if keep.all() else (pick(records, np.flatnonzero(keep)), lines[keep])


def _is_own(envelope: dict[str, Any]) -> bool:
    # What the recording client did itself: it connected, or sent a request.
    return "connect_ts" in envelope or "sent_ts" in envelope


def _received_text(envelope: dict[str, Any]) -> str | None:
    return next((key for key in ("recv_ns", "recv_ts") if key in envelope), None)


def _receipt_ns(envelope: dict[str, Any]) -> int:
    """The time of receipt. Seconds are kept to the microsecond, which is what a float of today's time can hold."""
    nanos = envelope.get("recv_ns")
    if type(nanos) is int and 0 < nanos <= _MAX_NS:
        return nanos
    seconds = envelope.get("recv_ts")
    if type(seconds) is bool:
        seconds = None
    if nanos is None and isinstance(seconds, (float, int)) and 0 < seconds <= _MAX_NS / NS_PER_S:
        return round(seconds * US_PER_S) * NS_PER_US
    field = _received_text(envelope)
    if field is None:
        raise FieldFault("recv_ns or recv_ts", "is missing")
    raise FieldFault(field, f"{str(envelope[field])[:60]!r} is not a time since 1970")
