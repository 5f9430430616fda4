"""Capture survey: what a first pass through a Binance capture tells of symbols, candles, trades and time."""

import re
from collections.abc import Iterator
from pathlib import Path

from tickflag.common.recordings.errors import RecordingError
from tickflag.common.recordings.interval import recorded_interval_s
from tickflag.common.recordings.symbols import symbol_fault
from tickflag.common.units import NS_PER_S, NS_PER_US, US_PER_S
from tickflag.services.feed.recordings.captures.envelope import UNREAD, decode_json, parse_envelope
from tickflag.services.feed.recordings.captures.id_ranges import IdRanges
from tickflag.services.feed.recordings.captures.lines import read_lines
from tickflag.services.feed.recordings.captures.message_fields import FieldFault, time_ns
from tickflag.services.feed.recordings.captures.messages import payloads
from tickflag.services.feed.recordings.recording import Survey

_RECEIVED = re.compile(rb'"recv_(ns|ts)":\s*([0-9.e+]+)')
_SYMBOL = re.compile(rb'"s":\s*"((?:[^"\\]|\\.)+)"')
_SINGLE = re.compile(rb'"e":\s*"(trade|aggTrade)"')
_TRADE_ID = re.compile(rb'"[tl]":\s*([0-9]{1,18})\b')


def survey_capture(path: Path) -> Survey:
    """The survey of a capture, as far as it can be read: reading reports the damage, after it has given what comes
    before."""
    symbols: dict[str, None] = {}
    brought: dict[tuple[str, int], int] = {}
    unnumbered: set[str] = set()
    numbered: dict[str, list[int]] = {}
    first = last = None
    rows = 0
    try:
        for line in read_lines(path):
            rows += 1
            if UNREAD.match(line):
                continue
            # Mostly at the beginning; where the message comes first, at the end.
            received = _RECEIVED.search(line, 0, 200) or _RECEIVED.search(line, max(0, len(line) - 200))
            if received is None:
                continue
            first, last = first or received, received
            found = [_text(raw) for raw in _SYMBOL.findall(line)]
            symbols.update(dict.fromkeys(found))
            if b'"kline"' in line:
                for symbol, interval_s, end_ns in _candles(line):
                    brought[symbol, interval_s] = max(brought.get((symbol, interval_s), 0), end_ns)
            elif found and (kind := _SINGLE.search(line)) is not None:
                trade_id = _TRADE_ID.search(line)
                if trade_id is None:
                    unnumbered.update(found)
                elif kind[1] == b"trade":
                    numbered.setdefault(found[0], []).append(int(trade_id[1]))
    except RecordingError:
        pass
    names = tuple(name for name in symbols if symbol_fault(name) is None)
    start_ns = _received_ns(first)
    return Survey(
        names,
        brought,
        start_ns,
        _received_ns(last),
        rows,
        start_ns,
        frozenset(unnumbered & set(names)),
        {name: IdRanges.of(ids) for name, ids in numbered.items()},
    )


def _candles(line: bytes) -> Iterator[tuple[str, int, int]]:
    """Symbol, interval (s) and end (ns) of each candle in a line; a faulty one is told when the line is read."""
    try:
        found = payloads(parse_envelope(line).get("msg"))
    except FieldFault:
        return
    for payload in found:
        k = payload.get("k") if isinstance(payload, dict) else None
        if not isinstance(k, dict) or not isinstance(payload.get("s"), str):
            continue
        interval_s = recorded_interval_s(k["i"]) if isinstance(k.get("i"), str) else None
        try:
            open_ns = time_ns(k.get("t"), "k.t")
        except FieldFault:
            continue
        if interval_s is not None:
            yield payload["s"], interval_s, open_ns + interval_s * NS_PER_S


def _text(raw: bytes) -> str:
    """The text between the quotes of a JSON string; empty where it is not valid."""
    if b"\\" not in raw:
        return raw.decode(errors="replace")
    try:
        return str(decode_json(f'"{raw.decode()}"')[0])
    except ValueError:
        return ""


def _received_ns(match: re.Match[bytes] | None) -> int | None:
    if match is None:
        return None
    try:
        return int(match[2]) if match[1] == b"ns" else round(float(match[2]) * US_PER_S) * NS_PER_US
    except (ValueError, OverflowError):
        return None
