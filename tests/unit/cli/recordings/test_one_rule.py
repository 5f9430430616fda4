"""The same candles come out of an import, a Parquet recording and a capture; the same are refused and widened."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.cli.conftest import Run
from tickflag.services.feed.recordings import Recording, open_recording

START_MS = 1_709_510_400_000  # 2024-03-04, a Monday
LENGTH_MS = {"1m": 60_000, "1d": 86_400_000, "7d": 7 * 86_400_000}
NAMES = ("open", "high", "low", "close", "volume")

Row = tuple[int, str, float, float, float, float, float]

_price = st.tuples(
    st.sampled_from([100.0, 101.0, 0.5]), st.sampled_from([0, 0, 0, 5e-7, -5e-7, 2e-6, -2e-6, 1e-16, -1.0, -2.0])
).map(lambda pair: pair[0] * (1 + pair[1]))
_row = st.tuples(
    st.sampled_from([0, 0, 0, 1, 30_000]), st.sampled_from(list(LENGTH_MS)), _price, _price, _price, _price,
    st.sampled_from([0.0, 5.0, -1.0]),
)  # fmt: skip


def _expected(rows: Sequence[Row]) -> tuple[list[tuple[Any, ...]], int, int]:
    """The candles that come through, and how many are refused and widened, in exact fractions."""
    share = Fraction(1, 10**6)
    good = []
    refused = widened = 0
    for open_ms, interval, *numbers in rows:
        open_, high, low, close, volume = map(Fraction, numbers)
        monday_ms = 4 * LENGTH_MS["1d"] if interval == "7d" else 0
        sound = min(open_, high, low, close) > 0 and volume >= 0 and (open_ms - monday_ms) % LENGTH_MS[interval] == 0
        sound = sound and high >= low * (1 - share)
        sound = sound and all(low * (1 - share) <= body <= high * (1 + share) for body in (open_, close))
        if not sound:
            refused += 1
            continue
        top, bottom = max(open_, high, close), min(open_, low, close)
        widened += (top, bottom) != (high, low)
        good.append((open_ms, *map(float, (open_, top, bottom, close, volume))))
    return good, refused, widened


def _found(recording: Recording) -> list[tuple[Any, ...]]:
    rows = [
        (row["open_ns"].item() // 10**6, *(row[name].item() for name in NAMES))
        for chunk in recording
        for row in chunk.records
    ]
    return sorted(rows)


def _counts(lines: Sequence[str]) -> tuple[int, int]:
    """How many were refused and widened, as said on the terminal."""
    found = {"refused": 0, "widened": 0}
    for line in lines:
        count, _, what = line.partition(": ")[2].partition(", the first: ")[0].split(" ")
        found[what] = int(count)
    return found["refused"], found["widened"]


@given(rows=st.lists(_row, min_size=1, max_size=12))
@example(rows=[(0, "1m", 88.84, 88.85, 88.82, 88.855, 1.0), (0, "1m", 88.84, 88.85, 88.82, 88.85001, 1.0)])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_three_ways_in(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    """Rows, counts and what the terminal says agree with the rule, whichever way the rows come."""
    rows = [(START_MS + i * 7 * LENGTH_MS["1d"] + row[0], *row[1:]) for i, row in enumerate(rows)]
    good, refused, widened = _expected(rows)

    columns: dict[str, Any] = {"open_time_ms": [row[0] for row in rows], "symbol": ["A"] * len(rows)}
    columns |= {"interval": [row[1] for row in rows]}
    columns |= {name: [row[2 + i] for row in rows] for i, name in enumerate(NAMES)}
    pq.write_table(pa.table(columns), tmp_path / "k.parquet")

    with (tmp_path / "k.jsonl").open("w") as file:
        for row in rows:
            k = {"t": row[0], "i": row[1], "x": True, "n": 1}
            k |= {field: repr(number) for field, number in zip("ohlcv", row[2:], strict=True)}
            event = {"e": "kline", "E": row[0], "s": "A", "k": k}
            file.write(json.dumps({"recv_ns": row[0] * 10**6, "msg": event}) + "\n")

    for name in ("k.parquet", "k.jsonl"):
        recording = open_recording(tmp_path / name)
        assert _found(recording) == sorted(good)
        assert (recording.rejected, _counts(recording.verdict())) == (refused, (refused, widened))

    lines = [",".join(columns), *(",".join(map(str, line)) for line in zip(*columns.values(), strict=True))]
    (tmp_path / "k.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "imported.parquet"
    result = run("import", str(tmp_path / "k.csv"), "--out", str(out), "--force")
    assert result.exit_code == (0 if good else 1)
    said = [line for line in result.stderr.splitlines() if line.startswith(str(tmp_path / "k.csv"))]
    assert _counts(said) == (refused, widened)
    if good:
        again = open_recording(out)
        assert _found(again) == sorted(good)
        assert again.verdict() == []
