"""The bytes of a segment: every offset, dtype and the layout version. Constants and one pure function.

A segment is one memory-mapped file, one per generation. Numbers are little-endian, offsets are in bytes.

    offset  size      region     what
    0       256       header     written once, checked on attach; `state` becomes READY last
    4096    4096      living     512 words: heartbeat, symbol count, named counters, histograms
    8192    -         control    8 words a channel: open cycle, closed cycle, stamp A, stamp B
            -         cycles     a channel: 1,024 pairs (cycle, time of its oldest update)
            1600      debug      100 entries (time, slot, kind)
            -         versions   one word a symbol: the seqlock of its row and rings
            -         heads      one word an interval and symbol: candles closed so far
            -         flags      a channel: two bitsets, A and B, one bit a symbol, 32-bit words
            -         names      48 bytes a symbol, UTF-8, zero-padded
            -         tickers    128 bytes a symbol
            -         opens      64 bytes a symbol and interval: the candle being formed
            -         rings      an interval and symbol: 7 fields of `depth` closed candles each

    header  0 magic 8s | 8 layout_version u4 | 12 state u4 | 16 generation u8 | 24 total_bytes u8
            32 capacity u4 | 36 depth u4 | 40 interval_count u4 | 44 owner_pid u4 | 48 created_ms i8
            56 checksum u4 | 64 intervals_s i8 x 8 | 128 offsets u8 x 11 | 216 lineage u8

Regions from `control` on start on a multiple of 64 bytes; their offsets stand in the header.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tickflag.common.histogram import CYCLE_BOUNDS_NS, SWAP_BOUNDS_NS
from tickflag.common.units import S_PER_LEAP_YEAR

MAGIC: Final = b"TICKFLAG"
LAYOUT_VERSION: Final = 3  # a change of anything below is another one, also of a field that was unused
STATE_CREATING: Final = 0
STATE_READY: Final = 0x59444552  # "REDY"

MAX_INTERVALS: Final = 8
MAX_CAPACITY: Final = 1 << 22
MAX_INTERVAL_S: Final = S_PER_LEAP_YEAR
NAME_BYTES: Final = 48
WORD_BITS: Final = 32
CYCLE_RING: Final = 1024
DEBUG_RING: Final = 100

REGIONS: Final = (
    "living",
    "control",
    "cycles",
    "debug",
    "versions",
    "heads",
    "flags",
    "names",
    "tickers",
    "opens",
    "rings",
)

HEADER: Final = np.dtype(
    {
        "names": [
            "magic", "layout_version", "state", "generation", "total_bytes", "capacity", "depth",
            "interval_count", "owner_pid", "created_ms", "checksum", "intervals_s", "offsets",
            "lineage",
        ],
        "formats": [
            "S8", "<u4", "<u4", "<u8", "<u8", "<u4", "<u4", "<u4", "<u4", "<i8", "<u4", ("<i8", 8), ("<u8", 11),
            "<u8",
        ],
        "offsets": [0, 8, 12, 16, 24, 32, 36, 40, 44, 48, 56, 64, 128, 216],
        "itemsize": 256,
    }
)  # fmt: skip

# Living words. Each has one writer, the feed, and may be read at any time.
HEARTBEAT: Final = 0  # monotonic ns of the feed's last sign of life
SYMBOL_COUNT: Final = 1  # slots in use; stored with release after the names
DEBUG_ON: Final = 2  # 1 while updates are written to the debug ring
DEBUG_HEAD: Final = 3  # entries ever written to the debug ring
COUNTERS_FROM: Final = 16
COUNTERS: Final = (
    "updates",  # ticks and klines applied
    "swaps",  # cycles closed, over all channels
    "flagged",  # bits set, over all channels
    "deferred",  # announcements put off by the rate limit
    "candles_closed",
    "late_ticks",  # trades and klines older than a candle that has closed: not applied to it
    "rejected_updates",  # not finite, negative or zero
    "refused_updates",  # of a symbol that found no slot
    "refused_symbols",
    "times_backwards",  # event times older than the row's
    "status_changes",  # symbols delisted, or trading again
    "double_trades",  # trades and klines that came a second time
    "impossible_times",  # event times too far from their receipt: refused
)
COUNTER: Final = {name: COUNTERS_FROM + i for i, name in enumerate(COUNTERS)}
HISTOGRAMS_FROM: Final = 64
HISTOGRAM_WORDS: Final = 32  # room of each: the sum in ns, then the buckets in their order
HISTOGRAMS: Final = {
    "swap": SWAP_BOUNDS_NS,  # time that the swaps of a turn took
    "cycle": CYCLE_BOUNDS_NS,  # time from the swaps of a turn to the next
}
"""Histogram -> its bounds."""
HISTOGRAM: Final = {name: HISTOGRAMS_FROM + i * HISTOGRAM_WORDS for i, name in enumerate(HISTOGRAMS)}
LIVING_WORDS: Final = 512

# Control words of a channel.
OPEN: Final = 0  # W, the cycle whose flags are being set
CLOSED: Final = 1  # the last announced cycle
STAMP: Final = 2  # stamp of buffer A, then of B: the cycle whose flags the buffer holds; 0 while it is being filled
CONTROL_WORDS: Final = 8

TICKER: Final = np.dtype(
    [
        ("last", "<f8"), ("bid", "<f8"), ("ask", "<f8"), ("last_size", "<f8"), ("bid_size", "<f8"), ("ask_size", "<f8"),
        ("volume", "<f8"), ("open_24h", "<f8"), ("high_24h", "<f8"), ("low_24h", "<f8"), ("volume_24h", "<f8"),
        ("change_24h", "<f8"), ("event_ns", "<i8"), ("recv_ns", "<i8"), ("status", "<i8"),
        ("last_ns", "<i8"),  # event time of `last`; 0: none
    ]
)  # fmt: skip
TICKER_WORDS: Final = TICKER.itemsize // 8

STATUS_TRADING: Final = 0
STATUS_DELISTED: Final = 1

OPEN_CANDLE: Final = np.dtype(
    [
        ("start_ns", "<i8"),  # without an open candle: the time before which a tick is late
        ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"), ("volume", "<f8"),
        ("trades", "<f8"),
        ("first_ns", "<i8"),  # event time of the earliest trade in it; 0: no candle is open
    ]
)  # fmt: skip

# Fields of a closed candle in a ring. The open time is in seconds: exact in a float, as intervals are whole seconds.
CANDLE_FIELDS: Final = ("time", "open", "high", "low", "close", "volume", "trades")
TIME, OPEN_PRICE, HIGH, LOW, CLOSE, VOLUME, TRADES = range(7)

DEBUG_ENTRY: Final = np.dtype([("time_ns", "<i8"), ("slot", "<i4"), ("kind", "<i4")])
DEBUG_TICK: Final = 1
DEBUG_KLINE: Final = 2
DEBUG_CLOSE: Final = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each region of a segment lies. `offsets` is in the order of `REGIONS`; all in bytes."""

    capacity: int
    depth: int
    intervals_s: tuple[int, ...]
    offsets: tuple[int, ...]
    total_bytes: int

    @property
    def flag_words(self) -> int:
        """32-bit words of one flag bitset."""
        return flag_words(self.capacity)

    @property
    def channel_count(self) -> int:
        """The number of channels: `ticker`, and one for each interval."""
        return 1 + len(self.intervals_s)

    def offset(self, region: str) -> int:
        return self.offsets[REGIONS.index(region)]


def flag_words(capacity: int) -> int:
    """32-bit words that hold one bit for each of `capacity` symbols."""
    return -(-capacity // WORD_BITS)


def plan(capacity: int, depth: int, intervals_s: tuple[int, ...]) -> Layout:
    """Place the regions. Raises ValueError naming the argument that is out of range."""
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ValueError(f"capacity must be 1 to {MAX_CAPACITY}, not {capacity}")
    if not 1 <= depth <= 100_000:
        raise ValueError(f"depth must be 1 to 100000, not {depth}")
    if not 1 <= len(intervals_s) <= MAX_INTERVALS:
        raise ValueError(f"1 to {MAX_INTERVALS} intervals are possible, not {len(intervals_s)}")
    if any(not 1 <= seconds <= MAX_INTERVAL_S for seconds in intervals_s):
        raise ValueError(f"intervals must have 1 to {MAX_INTERVAL_S} s, not {intervals_s}")
    if list(intervals_s) != sorted(set(intervals_s)):
        raise ValueError(f"intervals must be different and ascending, not {intervals_s}")
    channels = 1 + len(intervals_s)
    candles = capacity * len(intervals_s)
    sizes = {
        "living": LIVING_WORDS * 8,
        "control": channels * CONTROL_WORDS * 8,
        "cycles": channels * CYCLE_RING * 16,
        "debug": DEBUG_RING * DEBUG_ENTRY.itemsize,
        "versions": capacity * 8,
        "heads": candles * 8,
        "flags": channels * 2 * flag_words(capacity) * WORD_BITS // 8,
        "names": capacity * NAME_BYTES,
        "tickers": capacity * TICKER.itemsize,
        "opens": candles * OPEN_CANDLE.itemsize,
        "rings": candles * len(CANDLE_FIELDS) * depth * 8,
    }
    offsets = []
    at = 4096
    for region in REGIONS:
        offsets.append(at)
        at += -(-sizes[region] // 64) * 64
    return Layout(capacity, depth, tuple(intervals_s), tuple(offsets), -(-at // 4096) * 4096)
