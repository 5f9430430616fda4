import re
import zlib

import numpy as np
import pytest

from tickflag.common.segment import layout


def _picture() -> list[tuple[str, str, str]]:
    """(offset, size, region) of each line of the module's picture."""
    text = (layout.__doc__ or "").split("\n    header  ")[0]
    return re.findall(r"^    +(\d*) +(\d+|-) +(\w+) +(?:\S.*)$", text, re.MULTILINE)


def test_the_pictures_regions_are_those_of_the_layout() -> None:
    """The picture in the docstring names every region in the order in which `plan` places them."""
    assert [region for _, _, region in _picture()] == ["header", *layout.REGIONS]


def test_the_pictures_sizes_equal_the_constants() -> None:
    """The offsets and sizes in the picture are those of the code."""
    plan = layout.plan(40, 5, (60, 300))
    ends = [*plan.offsets[1:], plan.total_bytes]
    for offset, size, region in _picture():
        if region == "header":
            assert (int(offset), int(size)) == (0, layout.HEADER.itemsize)
            continue
        if offset:
            assert plan.offset(region) == int(offset)
        if size != "-":
            room = ends[layout.REGIONS.index(region)] - plan.offset(region)
            assert int(size) <= room < int(size) + 64
    assert layout.LIVING_WORDS * 8 == 4096
    assert layout.DEBUG_RING * layout.DEBUG_ENTRY.itemsize == 1600


def test_the_pictures_header_equals_the_dtype() -> None:
    """Each header field has the offset and type that the picture gives."""
    text = (layout.__doc__ or "").split("\n    header  ")[1].split("\n\n")[0]
    pictured = re.findall(r"(\d+) (\w+) ([a-z]\d+|\d+s)(?: x (\d+))?", text)
    fields = layout.HEADER.fields
    assert fields is not None
    assert [name for _, name, _, _ in pictured] == list(layout.HEADER.names or ())
    for at, name, kind, count in pictured:
        dtype, offset = fields[name][:2]
        one = np.dtype("S" + kind[:-1]) if kind.endswith("s") else np.dtype("<" + kind)
        assert (offset, dtype) == (int(at), np.dtype((one, int(count))) if count else one)


def test_row_sizes_are_those_of_the_picture() -> None:
    """A ticker takes 128 bytes, an open candle 64, a name 48, and no field of a row is split over two words."""
    assert (layout.TICKER.itemsize, layout.OPEN_CANDLE.itemsize, layout.NAME_BYTES) == (128, 64, 48)
    assert layout.TICKER_WORDS == len(layout.TICKER.names or ()) == 16
    assert len(layout.OPEN_CANDLE.names or ()) == 8


@pytest.mark.parametrize("capacity", [1, 31, 32, 33, 64, 65, 1234])
@pytest.mark.parametrize("intervals_s", [(60,), (60, 300, 900, 3600), tuple(range(1, 9))])
def test_regions_are_aligned_and_do_not_overlap(capacity: int, intervals_s: tuple[int, ...]) -> None:
    """Regions follow one another on multiples of 64 bytes, each with room for all its entries; pages are whole."""
    plan = layout.plan(capacity, 7, intervals_s)
    n = len(intervals_s)
    needed = {
        "control": (1 + n) * 64,
        "cycles": (1 + n) * 1024 * 16,
        "versions": capacity * 8,
        "heads": n * capacity * 8,
        "flags": (1 + n) * 2 * plan.flag_words * 4,
        "names": capacity * 48,
        "tickers": capacity * 128,
        "opens": n * capacity * 64,
        "rings": n * capacity * 7 * 7 * 8,
    }
    assert plan.channel_count == 1 + n
    assert all(offset % 64 == 0 for offset in plan.offsets)
    assert plan.total_bytes % 4096 == 0
    ends = [*plan.offsets[1:], plan.total_bytes]
    for region, size in needed.items():
        at = plan.offset(region)
        assert at + size <= ends[layout.REGIONS.index(region)]


def test_flags_of_4000_symbols_take_1000_bytes() -> None:
    """The two ticker bitsets of 4,000 symbols take exactly 1,000 bytes."""
    assert 2 * layout.flag_words(4000) * 4 == 1000


def test_the_default_segment_fits_in_48_mb() -> None:
    """1,024 symbols with 100 candles of each of four intervals fit in 48 MB."""
    assert layout.plan(1024, 100, (60, 300, 900, 3600)).total_bytes <= 48_000_000


def test_counters_have_a_word_each() -> None:
    """Every named counter has a living word of its own, behind the other living words."""
    words = list(layout.COUNTER.values())
    assert len(set(words)) == len(layout.COUNTERS)
    assert min(words) > layout.DEBUG_HEAD
    assert max(words) < layout.LIVING_WORDS


@pytest.mark.parametrize(
    ("capacity", "depth", "intervals_s", "named"),
    [
        (0, 5, (60,), "capacity"),
        (layout.MAX_CAPACITY + 1, 5, (60,), "capacity"),
        (1, 0, (60,), "depth"),
        (1, 100_001, (60,), "depth"),
        (1, 1, (), "intervals"),
        (1, 1, tuple(range(1, 10)), "intervals"),
        (1, 1, (0,), "intervals"),
        (1, 1, (layout.MAX_INTERVAL_S + 1,), "intervals"),
        (1, 1, (60, 60), "intervals"),
        (1, 1, (300, 60), "intervals"),
    ],
)
def test_a_value_out_of_range_is_named(capacity: int, depth: int, intervals_s: tuple[int, ...], named: str) -> None:
    """`plan` refuses a value out of range and names the argument."""
    with pytest.raises(ValueError, match=named):
        layout.plan(capacity, depth, intervals_s)


def test_histograms_have_room_behind_the_counters() -> None:
    """A sum and all buckets of each fit between it and the next, and the last before the end of the living words."""
    words = [*layout.HISTOGRAM.values(), layout.LIVING_WORDS]
    assert words[0] > max(layout.COUNTER.values())
    for (name, word), after in zip(layout.HISTOGRAM.items(), words[1:], strict=True):
        assert word + 1 + len(layout.HISTOGRAMS[name]) + 1 <= min(after, word + layout.HISTOGRAM_WORDS)


def test_another_layout_has_another_version() -> None:
    """Programs of two versions that share a segment must know it. After a change of the layout raise `LAYOUT_VERSION`,
    and put the new fingerprint here."""
    records = [dtype.descr for dtype in (layout.HEADER, layout.TICKER, layout.OPEN_CANDLE, layout.DEBUG_ENTRY)]
    words = (layout.CONTROL_WORDS, layout.LIVING_WORDS, layout.COUNTERS, layout.CANDLE_FIELDS, layout.REGIONS)
    plans = [layout.plan(*size).offsets for size in ((64, 10, (60,)), (1024, 100, (60, 300, 900, 3600)))]
    histograms = (layout.HISTOGRAM, layout.HISTOGRAMS)
    fingerprint = zlib.crc32(repr((records, words, histograms, plans)).encode())
    assert {layout.LAYOUT_VERSION: fingerprint} == {3: 1866240878}
