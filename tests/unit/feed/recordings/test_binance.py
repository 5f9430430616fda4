"""Binance captures: what each message becomes, what is left out, and how damaged lines and files are reported."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickflag.services.feed.recordings import RecordingError, RowFault, TickChunk, merge, open_recording
from tickflag.services.feed.recordings.captures.messages import AGGREGATES

NAN = float("nan")
R0 = 1_723_161_254_000_000_000  # receipt of line 1, ns
E0 = 1_723_161_255_000  # exchange time, ms

Json = dict[str, Any]

BOOK: Json = {"u": 1, "s": "BTCUSDT", "b": "10.5", "B": "2", "a": "11", "A": "3"}
FUTURES_BOOK: Json = {"e": "bookTicker", **BOOK, "T": E0, "E": E0 + 5}
TRADE: Json = {"e": "trade", "E": E0 + 1, "s": "BTCUSDT", "t": 1, "p": "10.75", "q": "0.5", "T": E0, "m": True}
AGG_TRADE: Json = {"e": "aggTrade", "E": E0, "s": "BTCUSDT", "a": 1, "p": "7", "q": "8", "f": 1, "l": 2, "T": E0 - 3}
MINI: Json = {"e": "24hrMiniTicker", "E": E0, "s": "ETHBTC", "c": "3", "o": "2", "h": "4", "l": "1", "v": "9", "q": "1"}
DAY: Json = {**MINI, "e": "24hrTicker", "b": "2.9", "B": "5", "a": "3.1", "A": "6", "p": "-1", "Q": "4", "w": "3"}
CANDLE: Json = {"t": 1_723_161_240_000, "T": 1_723_161_299_999, "s": "BTCUSDT", "i": "1m", "o": "2", "c": "3", "h": "4"}
CANDLE |= {"l": "1", "v": "9", "n": 5, "x": False, "q": "1"}
KLINE: Json = {"e": "kline", "E": E0, "s": "BTCUSDT", "k": CANDLE}
DEPTH: Json = {"e": "depthUpdate", "E": E0, "s": "BTCUSDT", "U": 1, "u": 2, "b": [["1", "2"]], "a": []}
MARK: Json = {"e": "markPriceUpdate", "E": E0, "s": "BTCUSDT", "p": "1", "T": E0}


def stream(name: str, data: object) -> Json:
    """A message of a combined stream."""
    return {"stream": name, "data": data}


def compact(value: object) -> str:
    """JSON as exchanges write it."""
    return json.dumps(value, separators=(",", ":"))


def in_ns(i: int, message: object) -> Json:
    """The envelope with nanoseconds."""
    return {"recv_ns": R0 + i, "msg": message}


def in_seconds(i: int, message: object) -> Json:
    """The envelope with float seconds and a connection."""
    return {"recv_ts": R0 / 1e9 + i, "conn": "1", "msg": message}


def write(path: Path, lines: Sequence[object]) -> Path:
    """Write lines as a capture; what is not text or bytes is written as JSON."""
    with gzip.open(path, "wb") as file:
        for line in lines:
            text = line if isinstance(line, bytes) else (line if isinstance(line, str) else compact(line)).encode()
            file.write(text + b"\n")
    return path


def capture(path: Path, messages: Sequence[object]) -> Path:
    """Write messages as a capture, one each ns."""
    return write(path, [in_ns(i, message) for i, message in enumerate(messages)])


def read(path: Path, **options: Any) -> tuple[list[Json], list[RowFault], Any]:
    """Read a capture: its rows without absent values, its reported faults, and the recording."""
    faults: list[RowFault] = []
    recording = open_recording(path, faults.append, **options)
    rows: list[Json] = []
    for chunk in recording:
        for record in chunk.records:
            row = {name: record[name].item() for name in chunk.records.dtype.names or () if name != "_pad"}
            if not row.get("trade_id", 1):
                del row["trade_id"]
            row = {name: value for name, value in row.items() if value == value}
            rows.append(row | {"symbol": chunk.symbols[record["symbol"]]})
    return rows, faults, recording


def test_book(tmp_path: Path) -> None:
    """Best bid and ask: spot has no time of its own, so the time of receipt counts; futures have the time of the
    change."""
    rows, faults, _ = read(capture(tmp_path / "c", [stream("btcusdt@bookTicker", BOOK), FUTURES_BOOK]))
    quote = {"symbol": "BTCUSDT", "bid": 10.5, "bid_size": 2.0, "ask": 11.0, "ask_size": 3.0}
    assert rows == [
        {"event_ns": R0, "recv_ns": R0, **quote},
        {"event_ns": E0 * 1_000_000, "recv_ns": R0 + 1, **quote},
    ]
    assert not faults


def test_trades(tmp_path: Path) -> None:
    """Trades and aggregate trades state price and qty at the time of the trade, in ms or in us."""
    in_us = TRADE | {"T": E0 * 1_000 + 7}
    rows, faults, _ = read(capture(tmp_path / "c", [TRADE, AGG_TRADE, in_us]))
    assert [(r["event_ns"], r["price"], r["qty"], r.get("trade_id")) for r in rows] == [
        (E0 * 1_000_000, 10.75, 0.5, TRADE.get("t")),
        ((E0 - 3) * 1_000_000, 7.0, 8.0, AGG_TRADE.get("l")),
        (E0 * 1_000_000 + 7_000, 10.75, 0.5, TRADE.get("t")),
    ]
    assert not faults


BAD_NUMBERS = [
    "1_000",
    "\u0663",
    "",
    " 1 ",
    "1\t",
    "nan",
    "inf",
    "-Infinity",
    "0x10",
    "1,5",
    "e5",
    ".",
    True,
    None,
    [],
    {},
]


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("message", [BOOK, TRADE, AGG_TRADE, DAY, KLINE], ids=["book", "trade", "agg", "day", "kline"])
def test_only_decimal_numbers_are_numbers(tmp_path: Path, message: Json, bad: object) -> None:
    """Python reads more as numbers. The message is refused by the name of the field, whichever it is."""
    fields = {"kline": "ohlcv", "trade": "pq", "aggTrade": "pq", "24hrTicker": "cohlvbaBA"}.get(
        message.get("e", ""), "baBA"
    )
    is_kline = message is KLINE
    messages = [KLINE | {"k": CANDLE | {field: bad}} if is_kline else message | {field: bad} for field in fields]
    rows, faults, _ = read(capture(tmp_path / "c", messages))
    assert rows == []
    names = [f"k.{field}" if is_kline else field for field in fields]
    aliases = {"p or c": "pc", "k.t": "t"}
    assert [fault.row for fault in faults] == list(range(1, len(fields) + 1))
    for fault, name in zip(faults, names, strict=True):
        assert fault.column == name or name in aliases.get(fault.column, "")


@given(texts=st.lists(st.text("0123456789._ +-eEnaif\t\u0663", min_size=1, max_size=6), min_size=1, max_size=8))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_decimal_number_or_refused(tmp_path: Path, texts: list[str]) -> None:
    """Beside what Python reads of texts that hold nothing but what decimal numbers are made of."""
    expected = []
    for text in texts:
        try:
            value = float(text) if set(text) <= set("0123456789.+-eE") else NAN
        except ValueError:
            value = NAN
        if 0 <= value < float("inf"):
            expected.append(value or None)  # a bid of 0 is none
    rows, faults, _ = read(capture(tmp_path / "c", [BOOK | {"b": text} for text in texts]))
    assert [row.get("bid") for row in rows] == expected
    assert len(faults) == min(len(texts) - len(expected), 20)
    assert {fault.column for fault in faults} <= {"b"}


@pytest.mark.parametrize("good", ["1", "1.50", "00.5", ".5", "5.", "+1", "1e0", "15E-1", 1, 1.5])
def test_every_decimal_form_is_a_number(tmp_path: Path, good: object) -> None:
    """With or without a point, an exponent or quotes."""
    messages = [BOOK | {"b": good}, TRADE | {"p": good}, KLINE | {"k": CANDLE | {"v": good}}]
    rows, faults, _ = read(capture(tmp_path / "c", messages))
    assert not faults
    assert [rows[0]["bid"], rows[1]["price"], rows[2]["volume"]] == [float(good)] * 3  # type: ignore[arg-type] # a number


def test_a_time_of_receipt_is_a_number(tmp_path: Path) -> None:
    """`true` is none."""
    lines = [in_ns(0, TRADE), {"recv_ts": True, "msg": TRADE}, {"recv_ns": True, "msg": TRADE}]
    rows, faults, _ = read(write(tmp_path / "c", lines))
    assert len(rows) == 1
    assert [fault.column for fault in faults] == ["recv_ts", "recv_ns"]


def test_trades_that_met_no_order_build_nothing(tmp_path: Path) -> None:
    """Futures streams name the kind of a trade: those of the insurance fund are counted, a price of 0 is no fault."""
    messages = [
        TRADE | {"X": "MARKET"}, TRADE | {"X": "INSURANCE_FUND", "p": "5"}, TRADE | {"X": "NA", "p": "0", "q": "0"},
        [TRADE | {"X": None}, TRADE], TRADE | {"X": "ADL", "p": "x"}, AGG_TRADE | {"X": "of another meaning"},
    ]  # fmt: skip
    path = write(tmp_path / "c", [*(in_ns(i, one) for i, one in enumerate(messages)), in_ns(-5, messages[1])])
    rows, faults, recording = read(path)
    assert [row["price"] for row in rows] == [10.75, 10.75, 10.75, 7.0]
    assert not faults
    assert dict(recording.skipped) == {"insurance fund and other non-market trades": 4}


def test_aggregates_of_single_trades(tmp_path: Path) -> None:
    """An aggregate is left out where all its trades come one by one, and counts where one of them does not; its id is
    that of its last trade. The symbol of an aggregate may be anything."""
    trades = [TRADE | {"t": number} for number in (1, 2, 101)]
    aggregates = [AGG_TRADE | {"f": first, "l": last} for first, last in ((1, 1), (1, 2), (2, 3), (3, 100), (101, 101))]
    other = AGG_TRADE | {"s": ["BTCUSDT"], "f": 1, "l": 1}
    recording = open_recording(capture(tmp_path / "c", [*trades, *aggregates, other]))
    ids = [tick["trade_id"] for chunk in merge([recording]) for tick in chunk.records]
    assert ids == [1, 2, 101, 3, 100]
    assert dict(recording.skipped) == {AGGREGATES: 3}
    assert recording.rejected == 1
    assert f"3 messages left out: {AGGREGATES}" in recording.verdict()[-1]


@pytest.mark.parametrize("trade_id", [-1, 1 << 63, "7", 1.5])
def test_a_trade_id_that_is_none(tmp_path: Path, trade_id: object) -> None:
    """The line is refused, with the field."""
    _, faults, _ = read(capture(tmp_path / "c", [TRADE | {"t": trade_id}, TRADE]))
    assert [fault.column for fault in faults] == ["t or l"]


def test_the_receipt_may_come_last(tmp_path: Path) -> None:
    """The survey knows symbols and time of an envelope with the message first."""
    padded = TRADE | {"note": "x" * 500}
    path = tmp_path / "c"
    path.write_text(json.dumps({"msg": padded, "recv_ns": R0}) + "\n")
    recording = open_recording(path)
    assert (recording.symbols(), recording.start_ns) == (("BTCUSDT",), R0)


def test_day_tickers_and_arrays(tmp_path: Path) -> None:
    """A 24 h ticker states the last price, the day and (spot) the quote, and is no trade; an array gives a row for each
    element."""
    day = {"price": 3.0, "open_24h": 2.0, "high_24h": 4.0, "low_24h": 1.0, "volume_24h": 9.0}
    time = {"event_ns": E0 * 1_000_000, "symbol": "ETHBTC"}
    quote = {"bid": 2.9, "bid_size": 5.0, "ask": 3.1, "ask_size": 6.0}
    messages = [stream("!miniTicker@arr", [MINI, MINI]), [DAY], DAY]
    rows, faults, recording = read(capture(tmp_path / "c", messages))
    assert rows == [
        {"recv_ns": R0, **time, **day},
        {"recv_ns": R0, **time, **day},
        {"recv_ns": R0 + 1, **time, **day, **quote},
        {"recv_ns": R0 + 2, **time, **day, **quote},
    ]
    assert not faults
    assert recording.rows == 3


def test_zeros_of_a_quiet_symbol(tmp_path: Path) -> None:
    """A quote or a day's price of 0 is absent, a volume of 0 is 0; a book without any quote states nothing."""
    quiet = DAY | {"o": "0", "h": "0.0", "l": "0", "v": "0", "b": "0.00", "a": "0"}
    rows, faults, recording = read(capture(tmp_path / "c", [quiet, BOOK | {"b": "0", "a": "0"}, BOOK | {"b": "0"}]))
    assert not faults
    assert [set(row) & {"open_24h", "high_24h", "low_24h", "volume_24h", "bid", "ask"} for row in rows] == [
        {"volume_24h"},
        {"ask"},
    ]
    assert dict(recording.skipped) == {"no value": 1}


def test_klines(tmp_path: Path) -> None:
    """Forming and closed candles become known on receipt."""
    closed = KLINE | {"k": CANDLE | {"x": True}}
    rows, faults, recording = read(capture(tmp_path / "c", [stream("btcusdt@kline_1m", KLINE), closed]))
    open_ns = 1_723_161_240_000_000_000
    candle = {"open_ns": open_ns, "symbol": "BTCUSDT", "interval_s": 60}
    candle |= {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0, "volume": 9.0, "trades": 5}
    candle |= {"event_ns": E0 * 1_000_000, "until_ns": open_ns + 60_000_000_000}
    assert rows == [
        {"recv_ns": R0, **candle, "closed": 0, "last_id": 0},
        {"recv_ns": R0 + 1, **candle, "closed": 1, "last_id": 0},
    ]
    assert not faults
    assert recording.kline_intervals_s == {60}


def test_the_last_trade_of_what_is_said(tmp_path: Path) -> None:
    """Candles and 24 h tickers name their last trade; -1 says that there is none."""
    numbers = (7, -1, 0)
    klines = [KLINE | {"k": CANDLE | {"L": number}} for number in numbers]
    rows, faults, _ = read(capture(tmp_path / "c", klines + [DAY | {"L": number} for number in numbers]))
    assert not faults
    assert [row.get("last_id", row.get("trade_id", 0)) for row in rows] == [7, 0, 0, 7, 0, 0]


def test_ticks_and_klines_keep_their_order(tmp_path: Path) -> None:
    """Chunks of ticks and of candles alternate as the lines do."""
    messages = [BOOK, TRADE, KLINE, KLINE, BOOK, KLINE]
    path = capture(tmp_path / "c", messages)
    for size in (1, 2, 100):
        chunks = list(open_recording(path, chunk_rows=size))
        kinds = [isinstance(chunk, TickChunk) for chunk in chunks for _ in range(len(chunk))]
        assert kinds == [True, True, False, False, True, False]
        assert [t for chunk in chunks for t in chunk.records["recv_ns"].tolist()] == [R0 + i for i in range(6)]
        assert all(0 < len(chunk) <= size for chunk in chunks)


def test_left_out_is_counted_by_kind(tmp_path: Path) -> None:
    """What a screener has no use for is skipped and counted; the client's own lines are not counted."""
    lines = [
        {"connect_ts": 1.0, "conn": "1", "url": "wss://example"},
        {"sent_ts": 2.0, "conn": "1", "msg": {"method": "SUBSCRIBE"}},
        in_ns(0, {"result": None, "id": 1}),
        in_ns(1, "pong"),
        in_ns(2, DEPTH),
        in_ns(3, stream("btcusdt@depth5@100ms", DEPTH)),
        in_ns(4, stream("btcusdt@depth20", {"lastUpdateId": 1, "bids": [], "asks": []})),
        in_ns(5, {"lastUpdateId": 1, "bids": [], "asks": []}),
        in_ns(6, MARK),
        in_ns(7, [MARK, MARK]),
        in_ns(8, stream("!markPrice@arr@1s", [MARK])),
        in_ns(9, {"e": "forceOrder", "E": E0, "o": {"s": "BALUSDT"}}),
        in_ns(10, {"e": "continuous_kline", "ps": "BTCUSDT", "k": {"i": "15m"}}),
        in_ns(11, {"error": {"code": 2}, "id": 3}),
        in_ns(12, 17),
        in_ns(13, []),
        in_ns(14, BOOK),
        "",
    ]
    rows, faults, recording = read(write(tmp_path / "c", lines))
    assert len(rows) == 1
    assert not faults
    assert recording.rejected == 0
    assert dict(recording.skipped) == {
        "ack": 1,
        "text": 1,
        "depth": 3,
        "snapshot": 1,
        "markPrice": 3,
        "other": 3,
        "error": 1,
    }
    assert recording.symbols() == ("BALUSDT", "BTCUSDT")


@pytest.mark.parametrize("envelope", [in_ns, in_seconds])
def test_spelling_does_not_matter(tmp_path: Path, envelope: Callable[[int, object], Json]) -> None:
    """Lines recognised by their beginning count the same as lines that have to be parsed."""
    snapshot = {"lastUpdateId": 1, "bids": [], "asks": []}
    messages: list[object] = [BOOK, DEPTH, stream("a@depth@0ms", DEPTH), MARK, [MARK], snapshot]
    messages += [stream("!markPrice@arr", [MARK]), TRADE, KLINE, stream("x", MINI)]
    lines = [envelope(i, message) for i, message in enumerate(messages)]
    tight = read(write(tmp_path / "tight", lines))
    loose = read(write(tmp_path / "loose", [json.dumps(line) for line in lines]))
    assert tight[0] == loose[0]
    assert len(tight[0]) == 4
    assert dict(tight[2].skipped) == dict(loose[2].skipped) == {"depth": 2, "markPrice": 3, "snapshot": 1}
    assert tight[2].survey == loose[2].survey


def test_seconds_are_read_to_the_microsecond(tmp_path: Path) -> None:
    """A receipt in float seconds is rounded to the microsecond."""
    lines = [{"recv_ts": 1633998512.0633569, "conn": "1", "msg": BOOK}, {"recv_ts": 1633998513, "msg": BOOK}]
    rows, _, recording = read(write(tmp_path / "c", lines))
    assert [row["recv_ns"] for row in rows] == [1_633_998_512_063_357_000, 1_633_998_513_000_000_000]
    assert (recording.start_ns, recording.end_ns) == (rows[0]["recv_ns"], rows[1]["recv_ns"])


BAD_MESSAGES = [
    (BOOK | {"b": "x"}, "b", "not a number"),
    (BOOK | {"A": None}, "A", "not a number"),
    (BOOK | {"b": "nan"}, "b", "not a number"),
    (BOOK | {"b": "inf", "a": "-inf"}, "b", "not a number"),
    (BOOK | {"b": "-1"}, "b", "0 or more"),
    (BOOK | {"a": "1e999"}, "a", "0 or more"),
    (BOOK | {"B": "-1"}, "B", "0 or more"),
    (BOOK | {"s": ""}, "s", "empty"),
    (BOOK | {"s": 5}, "s", "not a symbol name"),
    (BOOK | {"s": ["A"]}, "s", "not a symbol name"),
    (BOOK | {"s": "x" * 48}, "s", "48 bytes"),
    (BOOK | {"s": "\ud800"}, "s", "Unicode"),
    (FUTURES_BOOK | {"T": 0}, "T", "not a time"),
    (FUTURES_BOOK | {"T": "1"}, "T", "not a time"),
    (FUTURES_BOOK | {"T": 10**17}, "T", "not a time"),
    ({k: v for k, v in TRADE.items() if k != "p"}, "p", "missing"),
    ({k: v for k, v in TRADE.items() if k != "s"}, "s", "missing"),
    (TRADE | {"p": "0"}, "p or c", "positive finite"),
    (TRADE | {"p": "-1"}, "p or c", "positive finite"),
    (TRADE | {"p": 10**400}, "p", "not a number"),
    (TRADE | {"q": "-1"}, "q", "0 or more"),
    (TRADE | {"q": {}}, "q", "not a number"),
    ({k: v for k, v in DAY.items() if k != "h"}, "h", "missing"),
    (DAY | {"b": "x"}, "b", "not a number"),
    ({k: v for k, v in DAY.items() if k != "b"} | {"a": "x"}, "a", "not a number"),
    (MINI | {"c": "0"}, "p or c", "positive finite"),
    (MINI | {"l": "-1"}, "l", "0 or more"),
    ({"e": "kline", "E": E0, "s": "A"}, "k", "missing"),
    (KLINE | {"k": 5}, "k", "not a candle"),
    ({"e": "kline", "k": CANDLE}, "s", "missing"),
    (KLINE | {"k": {k: v for k, v in CANDLE.items() if k != "o"}}, "k.o", "missing"),
    (KLINE | {"k": CANDLE | {"o": "0"}}, "k.o", "positive finite"),
    (KLINE | {"k": CANDLE | {"v": "-1"}}, "k.v", "0 or more"),
    (KLINE | {"k": CANDLE | {"h": "1", "l": "2"}}, "k.h", "below the low"),
    (KLINE | {"k": CANDLE | {"i": "1M"}}, "k.i", "unknown interval"),
    (KLINE | {"k": CANDLE | {"i": 60}}, "k.i", "not an interval"),
    (KLINE | {"k": CANDLE | {"t": 1_723_161_240_001}}, "k.t", "multiple of the interval"),
    (KLINE | {"k": CANDLE | {"t": None}}, "k.t", "not a time"),
    (KLINE | {"k": CANDLE | {"n": -1}}, "k.n", "not a count"),
    (KLINE | {"k": CANDLE | {"L": "7"}}, "k.L", "not a trade id"),
    (DAY | {"L": -2}, "L", "not a trade id"),
    (KLINE | {"k": CANDLE | {"x": 1}}, "k.x", "neither true nor false"),
]


@pytest.mark.parametrize(("bad", "field", "reason"), BAD_MESSAGES)
def test_faulty_message_is_refused_alone(tmp_path: Path, bad: Json, field: str, reason: str) -> None:
    """A faulty message is refused, counted and reported with file, line and field; its neighbours come through."""
    path = capture(tmp_path / "c", [BOOK, bad, BOOK])
    rows, faults, recording = read(path)
    assert [row["recv_ns"] for row in rows] == [R0, R0 + 2]
    assert recording.rejected == 1
    (fault,) = faults
    assert (fault.path, fault.row, fault.column) == (str(path), 2, field)
    assert reason in fault.reason
    assert str(fault).startswith(f"{path}, line 2, field {field}: ")


def test_faulty_element_of_an_array_is_refused_alone(tmp_path: Path) -> None:
    """In an array message only the faulty element is refused."""
    messages = [[MINI, MINI | {"c": "x"}, MINI | {"c": "0"}, MINI]]
    rows, faults, recording = read(capture(tmp_path / "c", messages))
    assert len(rows) == 2
    assert recording.rejected == 2
    assert [f.row for f in faults] == [1, 1]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b'{"recv_ns":5,"msg":{"e":', "", "not JSON"),
        (b'{"recv_ns":5,"msg":{"e":"depthUpdate","s":"A"', "", "not JSON"),
        (b'{"recv_ns":5,"msg":"\xff"}', "", "not JSON"),
        (b'{"recv_ns":5,"msg":' + b"[" * 100_000, "", "not JSON"),
        (b'{"recv_ns":5,"msg":1} {}', "", "not one JSON object"),
        (b"[1]", "", "not one JSON object"),
        (b'{"recv_ns":5}', "msg", "missing"),
        (b'{"msg":{}}', "recv_ns or recv_ts", "missing"),
        (b'{"recv_ns":-5,"msg":{}}', "recv_ns", "not a time"),
        (b'{"recv_ns":1.5,"msg":{}}', "recv_ns", "not a time"),
        (b'{"recv_ts":"x","msg":{}}', "recv_ts", "not a time"),
        (b'{"recv_ts":NaN,"msg":{}}', "recv_ts", "not a time"),
        (b'{"recv_ts":1e300,"msg":{}}', "recv_ts", "not a time"),
        (compact({"recv_ns": R0 - 1, "msg": BOOK}).encode(), "recv_ns or recv_ts", "before"),
    ],
)
def test_faulty_line_is_refused_alone(tmp_path: Path, line: bytes, field: str, reason: str) -> None:
    """A line that is no sound envelope is refused, counted and reported; its neighbours come through."""
    rows, faults, recording = read(write(tmp_path / "c", [in_ns(0, BOOK), line, in_ns(2, BOOK)]))
    assert len(rows) == 2
    assert recording.rejected == 1
    assert [(f.row, f.column) for f in faults] == [(2, field)]
    assert reason in faults[0].reason


def test_gzip_cut_off(tmp_path: Path) -> None:
    """Rows before the cut are given; then an error names the last line that could be read."""
    path = capture(tmp_path / "c", [TRADE | {"t": i * 7919} for i in range(5_000)])
    path.write_bytes(path.read_bytes()[:-4_000])
    recording = open_recording(path)
    given: list[int] = []
    with pytest.raises(RecordingError, match="cut off after this line") as caught:
        given.extend(map(len, recording))
    seen = sum(given)
    assert 0 < seen < 5_000
    assert (caught.value.row, caught.value.unit) == (seen, "line")
    assert f"{path}, line {seen}: " in str(caught.value)
    assert recording.rows == seen


def test_gzip_damaged(tmp_path: Path) -> None:
    """Damage within the data, and a wrong checksum at its end, are reported after the rows before."""
    path = capture(tmp_path / "c", [TRADE | {"t": i * 7919} for i in range(5_000)])
    whole = path.read_bytes()
    for at in (len(whole) // 2, len(whole) - 6):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        recording = open_recording(path)
        given: list[int] = []
        with pytest.raises(RecordingError, match="damaged after this line") as caught:
            given.extend(map(len, recording))
        # Garbled text may have been unpacked before the damage shows, so some lines may have been refused.
        assert caught.value.row == sum(given) + recording.rejected > 100


def test_plain_lines_cut_off(tmp_path: Path) -> None:
    """A capture need not be compressed; its broken last line is an ordinary fault."""
    path = tmp_path / "c"
    path.write_text(compact(in_ns(0, BOOK)) + "\r\n" + compact(in_ns(1, DEPTH)) + "\r\n" + compact(in_ns(2, BOOK))[:-9])
    rows, faults, recording = read(path)
    assert len(rows) == 1
    assert dict(recording.skipped) == {"depth": 1}
    assert [f.row for f in faults] == [3]


def test_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the bound ends the reading instead of filling the memory."""
    from tickflag.services.feed.recordings.captures import lines

    monkeypatch.setattr(lines, "_MAX_LINE_BYTES", 200)
    path = write(tmp_path / "c", [in_ns(0, BOOK), " " * 500, in_ns(1, BOOK)])
    recording = open_recording(path)
    given: list[int] = []
    with pytest.raises(RecordingError, match="longer than 200 bytes") as caught:
        given.extend(map(len, recording))
    assert (sum(given), caught.value.row) == (1, 1)


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    """Each iteration starts anew, with its own counts."""
    path = capture(tmp_path / "c", [BOOK, DEPTH, TRADE | {"p": "0"}, MINI])
    recording = open_recording(path)
    for _ in range(2):
        assert sum(map(len, recording)) == 2
        assert (recording.rejected, dict(recording.skipped)) == (1, {"depth": 1})


number = st.floats(allow_nan=True, allow_infinity=True).map(str) | st.sampled_from(["1", "0", "-1", "", "x", None, 3])
fields = st.sampled_from(["e", "s", "T", "E", "p", "q", "b", "B", "a", "A", "c", "o", "h", "l", "v", "k", "u"])
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=8,
)
changed = st.builds(
    lambda base, changes: base | changes,
    st.sampled_from([BOOK, FUTURES_BOOK, TRADE, MINI, DAY, KLINE, KLINE | {"k": CANDLE | {"x": True}}]),
    st.dictionaries(fields, number | junk, max_size=2),
)


@given(
    messages=st.lists(changed | junk | st.lists(changed, max_size=3), max_size=12),
    chunk_rows=st.integers(1, 5),
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_messages_end_well(tmp_path: Path, messages: list[object], chunk_rows: int) -> None:
    """Whatever the messages hold, sound ones come through in order, and every value handed on is possible."""
    path = capture(tmp_path / "c", [BOOK, *messages, BOOK])
    recording = open_recording(path, chunk_rows=chunk_rows)
    times: list[int] = []
    for chunk in recording:
        times += chunk.records["recv_ns"].tolist()
        for name in chunk.records.dtype.names or ():
            values = chunk.records[name]
            assert not (values < 0).any()
            assert not (values == float("inf")).any()
            if name in ("price", "bid", "ask", "open", "high", "low", "close"):
                assert not (values == 0).any()
    assert times == sorted(times)
    assert times[0] == R0
    assert times[-1] == R0 + len(messages) + 1
