"""What a replay tells of its signals' worth, compared with pandas; and the files that it writes."""

import fnmatch
import gzip
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest

from tests.support.documents.markdown import plain, section
from tests.support.documents.pages import ROOT, page
from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS, TICKS
from tests.support.markets.replays import EVERY_CYCLE, ReplayOutcome, replay, run, write_ticks
from tests.support.oracles.study_oracle import StudyOracle, Watches
from tickflag import Trader
from tickflag.common.units import NS_PER_S
from tickflag.services.replay.study import chart, report
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

HORIZONS = {"10s": 10, "1m": 60, "5m": 300}
TRADERS = ("spread", "top_movers", "volume_surge")
APART = "@hookimpl\ndef evaluate(market):\n    return market.ask > 1.0001 * market.bid\n"
START_NS = START_MS * 1_000_000


@pytest.fixture(scope="module")
def traders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some shipped traders, one with a watch list of its own, and one that gives many signals on any quotes."""
    folder = tmp_path_factory.mktemp("traders")
    for name in TRADERS:
        shutil.copy(ROOT / "plugins" / f"{name}.py", folder)
    shutil.copy(ROOT / "tests" / "support" / "traders" / "one_sided.py", folder)
    write_trader(folder, "apart", APART)
    return folder


@pytest.fixture(scope="module", params=["generated", "us equity ticks", "fx quotes"])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ticks: our own, parts of real trades and quotes, and real quotes without a trade."""
    if request.param == "generated":
        return TICKS
    folder: Path = request.getfixturevalue("test_data")
    path = tmp_path_factory.mktemp("real") / "ticks.parquet"
    if request.param == "us equity ticks":
        frame = pd.read_parquet(folder / "ticks_us_equity_20131007.parquet")
        begin = pd.Timestamp("2013-10-07 13:30").value
        frame = frame[(frame.ts_ns >= begin) & (frame.ts_ns < begin + 3_600 * NS_PER_S)].iloc[::300]
    else:
        frame = pd.read_parquet(folder / "ticks_fx_20140505.parquet").iloc[:2_000]
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def outcome(recording: Path, traders: Path) -> ReplayOutcome:
    return _studied("--traders", traders, recording)


def _studied(*arguments: str | Path) -> ReplayOutcome:
    return replay("--horizons", ",".join(HORIZONS), *arguments, settings=EVERY_CYCLE)


def _watches(trader: Trader) -> Watches:
    def watches(symbol: str) -> bool:
        wanted, unwanted = (
            any(fnmatch.fnmatchcase(symbol, pattern) for pattern in patterns)
            for patterns in (trader.watch, trader.exclude)
        )
        return wanted and not unwanted

    return watches


def _assert_like(found: Any, expected: Any, place: str = "") -> None:
    """Check that both are equal but for the last digits of numbers; null stands for NaN."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), place
        for key, value in expected.items():
            _assert_like(found[key], value, f"{place}/{key}")
    elif found is None:
        assert math.isnan(expected), place
    else:
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12), (place, found, expected)


def test_every_number_is_that_of_pandas(recording: Path, traders: Path, outcome: ReplayOutcome) -> None:
    """Holding times, time in the match set, forward returns, hit rates and baselines of every trader are those of
    pandas."""
    worth = StudyOracle([recording])
    told = outcome.summary["traders"]
    declared = [load_plugin(path).trader for path in sorted(traders.glob("*.py"))]
    assert sorted(told) == sorted(trader.name for trader in declared)
    assert sum(digest["returns"]["10s"]["count"] for digest in told.values()) > 20
    for trader in declared:
        expected = worth.digest(outcome.signals, trader.name, _watches(trader), HORIZONS)
        _assert_like(told[trader.name], expected, trader.name)


def test_the_page_lists_every_key(outcome: ReplayOutcome) -> None:
    """The tables of the page list the keys of the summary, in their order."""
    listed = [plain(row["Key"]) for row in section(page("replay.md"), "The study").rows]
    digest = outcome.summary["traders"]["spread"]
    assert listed == [*digest, *digest["returns"]["1m"]]


def _with_notes(signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals with a note each: the file has a column for notes, while a printed line has only notes that are
    there."""
    return [{**signal, "note": signal.get("note", "")} for signal in signals]


def test_the_report_holds_signals_entries_and_summary(
    recording: Path, traders: Path, outcome: ReplayOutcome, tmp_path: Path
) -> None:
    """The Parquet files say what was printed, and each entry has the prices and returns of pandas."""
    printed = _studied("--traders", traders, "--report", tmp_path / "to" / "here", recording)
    assert printed.stdout == outcome.stdout
    folder = tmp_path / "to" / "here"
    assert pd.read_parquet(folder / "signals.parquet").to_dict("records") == _with_notes(outcome.signals)
    assert json.loads((folder / "summary.json").read_text()) == outcome.summary
    worth, entries = StudyOracle([recording]), pd.read_parquet(folder / "entries.parquet")
    for trader, own in entries.groupby("trader"):
        expected = worth.entries(outcome.signals, str(trader))
        own = own.reset_index(drop=True)
        expected["price"] = [worth.price(symbol, ms * 1_000_000) for symbol, ms, _ in expected.itertuples(index=False)]
        left = [(row.symbol, row.left_ms) for row in expected.itertuples()]
        expected["left_price"] = [math.nan if ms != ms else worth.price(name, int(ms) * 1_000_000) for name, ms in left]
        for name, horizon_s in HORIZONS.items():
            expected[f"return_{name}"] = worth.returns(expected, horizon_s)
        columns = list(expected.columns)
        pd.testing.assert_frame_equal(own[columns], expected, check_dtype=False, rtol=1e-9)
        assert not own.standing.any()
    told = outcome.summary["traders"]
    assert len(entries) == sum(digest["entered"] for digest in told.values())


# Two symbols with a trade every 10 s for two minutes: A rises from 100 by 1 each time, B stays.
STEPS = [
    (START_NS + n * 10 * NS_PER_S, name, 100.0 + n * (name == "A"), 1.0, None, None) for n in range(13) for name in "AB"
]

ABOVE = """\
@hookimpl
def evaluate(market):
    return (market.last > 102.5) & (market.last < 106.5)
"""


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    write_trader(tmp_path / "traders", "above", ABOVE)
    return write_ticks(tmp_path / "steps.parquet", STEPS)


def test_numbers_that_one_can_follow(steps: Path) -> None:
    """A enters at 103 and leaves 40 s later: after 20 s it costs 105, after 100 s nothing is recorded any more."""
    outcome = replay("--traders", steps.parent / "traders", "--horizons", "100s,20s,20s", steps)
    assert outcome.summary["traders"] == {
        "above": {
            "entered": 1, "left": 1, "score": 0, "standing": 0, "matching": 0, "symbols": 2,
            "time_in_set": 40 / 240,
            "held_ms": {"count": 1, "mean": 40_000.0, "median": 40_000.0},
            "returns": {
                "20s": {
                    "count": 1, "mean": 105 / 103 - 1, "median": 105 / 103 - 1, "hit_rate": 1.0,
                    # Of the moments each 2 s those count that follow a change: at n * 10 s. They have A's return, and
                    # none of B.
                    "baseline": pytest.approx(sum((102 + n) / (100 + n) - 1 for n in range(11)) / 22),
                    "baseline_count": 22, "beyond": 0, "unpriced": 0,
                },
                "100s": {
                    "count": 0, "mean": None, "median": None, "hit_rate": None,
                    "baseline": pytest.approx(sum((110 + n) / (100 + n) - 1 for n in range(3)) / 6),
                    "baseline_count": 6, "beyond": 1, "unpriced": 0,
                },
            },
        }
    }  # fmt: skip


def test_a_symbol_without_a_price(tmp_path: Path) -> None:
    """A bid alone is no price: the entry counts, its return does not."""
    write_trader(tmp_path / "traders", "bids", "@hookimpl\ndef evaluate(market):\n    return market.bid > 1.0\n")
    rows = [(START_NS, "A", None, None, 9.0, None), (START_NS + 60 * NS_PER_S, "A", 9.5, 1.0, None, None)]
    outcome = replay("--traders", tmp_path / "traders", "--horizons", "10s", write_ticks(tmp_path / "a.parquet", rows))
    returns = outcome.summary["traders"]["bids"]["returns"]["10s"]
    assert (returns["count"], returns["unpriced"], returns["beyond"], returns["mean"]) == (0, 1, 0, None)


def test_what_matched_before_is_standing(steps: Path, tmp_path: Path) -> None:
    """A period begins while A matches: that is no entry with a return, and its holding time is unknown."""
    arguments = ("--traders", steps.parent / "traders", "--from", _iso(45), "--horizons", "20s")
    outcome = replay(*arguments, "--report", tmp_path / "report", steps)
    told = outcome.summary["traders"]["above"]
    assert [(s["event"], s["time_ms"]) for s in outcome.signals] == [
        ("entered", START_MS + 45_000),
        ("left", START_MS + 70_000),
    ]
    assert (told["entered"], told["left"], told["standing"]) == (1, 1, 1)
    assert (told["held_ms"]["count"], told["returns"]["20s"]["count"], told["returns"]["20s"]["beyond"]) == (0, 0, 0)
    assert told["time_in_set"] == pytest.approx(25 / 150)
    [entry] = pd.read_parquet(tmp_path / "report" / "entries.parquet").to_dict("records")
    assert entry["standing"]
    assert math.isnan(entry["return_20s"])


def _iso(seconds: int) -> str:
    return str(pd.Timestamp(START_NS + seconds * NS_PER_S).isoformat())


@pytest.mark.parametrize("horizons", ["1x", "", "1m,,5m", "0s", "5"])
def test_wrong_horizons(horizons: str, steps: Path) -> None:
    """Wrong usage, with the horizon at fault."""
    outcome = run("replay", "--horizons", horizons, steps)
    assert outcome.status == 2
    assert "Invalid value for '--horizons'" in outcome.stderr
    assert "is no interval; use a number and s, m, h or d" in outcome.stderr


def test_tables_for_people(steps: Path) -> None:
    """One row for each trader, and one for each horizon."""
    lines = run("replay", "--traders", steps.parent / "traders", "--horizons", "20s,100s", steps).stdout.splitlines()
    rows = [" ".join(line.split()) for line in lines]
    assert "above 1 1 0 0 16.7 % 40.0 s 40.0 s" in rows
    assert "above 20s 1 +1.942 % +1.942 % +0.953 % 100.0 % 0" in rows
    assert "above 100s 0 - - +4.951 % - 1" in rows


class PageTexts(HTMLParser):
    """A page's texts by the id or name of their element, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.attributes: list[tuple[str, str | None]] = []
        self._place = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self._place = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._place] = self.texts.get(self._place, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._place = ""

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["data"])
        return found


def test_the_chart_holds_every_entry(recording: Path, traders: Path, outcome: ReplayOutcome, tmp_path: Path) -> None:
    """The chart has each symbol's line and each trader's entries, as in the report."""
    printed = _studied("--traders", traders, "--report", tmp_path, "--chart", tmp_path / "chart.html", recording)
    assert printed.stdout == outcome.stdout
    data = PageTexts((tmp_path / "chart.html").read_text()).data
    entries = pd.read_parquet(tmp_path / "entries.parquet")
    marked = [
        (data["traders"][int(trader)], symbol["name"], *mark[:3])
        for symbol in data["symbols"]
        for trader, marks in symbol["marks"].items()
        for mark in marks
    ]
    columns = ["trader", "symbol", "entered_ms", "price", "left_ms"]
    expected = [tuple(None if value != value else value for value in row) for row in entries[columns].values.tolist()]
    key = lambda entry: (entry[0], entry[1], entry[2])  # noqa: E731
    assert [(*one[:3], one[4]) for one in sorted(marked, key=key)] == [
        (*one[:3], one[4]) for one in sorted(expected, key=key)
    ]
    assert data["left_out"] == 0
    worth = StudyOracle([recording])
    for symbol in data["symbols"]:
        assert symbol["t"] == sorted(symbol["t"])
        for ms, price in zip(symbol["t"], symbol["p"], strict=True):
            assert price == pytest.approx(worth.price(symbol["name"], ms * 1_000_000 + 999_999), rel=1e-6)


def test_names_on_the_chart_are_harmless(tmp_path: Path) -> None:
    """A symbol and a file may have any name: the page reads it as text, and requests nothing from outside."""
    name, file = "</script><b>&{{title}}", "<img src=x onerror=y>{{data}}.parquet"
    write_trader(tmp_path / "traders", "above", ABOVE)
    rows = [(ns, name if symbol == "A" else symbol, *rest) for ns, symbol, *rest in STEPS]
    path = write_ticks(tmp_path / file, rows)
    outcome = replay("--traders", tmp_path / "traders", "--chart", tmp_path / "chart.html", path)
    assert outcome.status == 0
    text = (tmp_path / "chart.html").read_text()
    shown = PageTexts(text)
    assert [symbol["name"] for symbol in shown.data["symbols"]] == [name]
    assert file in shown.texts["title"]
    assert file in shown.texts["h1"]
    assert "<img" not in text
    assert "<b>" not in text
    assert not {"src", "href", "onerror"} & {attribute for attribute, _ in shown.attributes}
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    ("option", "to", "words"),
    [
        ("--report", "steps.parquet", "cannot write the report to"),
        ("--report", "steps.parquet/in", "cannot write the report to"),
        ("--chart", "nowhere/chart.html", "no such folder"),
        ("--chart", "traders", "a folder"),
    ],
)
def test_where_nothing_can_be_written(option: str, to: str, words: str, steps: Path) -> None:
    """One line, before anything is played."""
    outcome = replay("--traders", steps.parent / "traders", option, steps.parent / to, steps)
    assert (outcome.status, outcome.stdout) == (1, "")
    [line] = outcome.stderr.splitlines()
    assert line.startswith("tickflag: cannot write the ")
    assert words in line


def test_a_page_has_its_limits(traders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has as many symbols as fit, those with the most entries; it knows how many it leaves out."""
    arguments = ("--traders", traders, "--report", tmp_path, "--chart", tmp_path / "chart.html", TICKS)
    _studied(*arguments)
    counts = pd.read_parquet(tmp_path / "entries.parquet").symbol.value_counts()
    for limit, kept in (("SYMBOLS", 2), ("ENTRIES", int(counts.iloc[:2].sum()))):
        with monkeypatch.context() as patch:
            patch.setattr(chart, limit, kept)
            _studied(*arguments)
        data = PageTexts((tmp_path / "chart.html").read_text()).data
        shown = [symbol["name"] for symbol in data["symbols"]]
        assert len(shown) == 2
        assert counts[shown].tolist() == counts.iloc[:2].tolist()
        assert data["left_out"] == len(counts) - 2
    monkeypatch.setattr(chart, "ENTRIES", 1)
    _studied(*arguments)
    assert len(PageTexts((tmp_path / "chart.html").read_text()).data["symbols"]) == 1  # one symbol always fits


def test_notes_stand_in_lines_and_report(steps: Path) -> None:
    """A line has a note only where the trader gave one; in the text for people the note ends the line."""
    rule = (
        "@hookimpl\ndef evaluate_symbol(symbol):\n    return symbol.last, f'at {symbol.last:g}' * (symbol.last > 1)\n"
    )
    write_trader(steps.parent / "traders", "noted", rule)
    arguments = ("--traders", steps.parent / "traders", "--report", steps.parent / "report")
    outcome = replay(*arguments, steps)
    assert {"note" in signal for signal in outcome.signals} == {True, False}
    for signal in outcome.signals:
        assert signal.get("note") == (f"at {signal['score']:g}" if signal["score"] > 1 else None)
    rows = pyarrow.parquet.read_table(steps.parent / "report" / "signals.parquet").to_pylist()
    assert rows == _with_notes(outcome.signals)


def test_signals_are_written_as_they_come(steps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals are not written at the end only: they come a few at a time, also those before a recording breaks off."""
    monkeypatch.setattr(report, "SIGNAL_ROWS", 2)
    write_trader(steps.parent / "traders", "all", "@hookimpl\ndef evaluate(market):\n    return market.last\n")
    arguments = ("--traders", steps.parent / "traders", "--report", steps.parent / "report")
    outcome = replay(*arguments, steps)
    written = pyarrow.parquet.ParquetFile(steps.parent / "report" / "signals.parquet")
    assert written.read().to_pylist() == _with_notes(outcome.signals)
    assert written.num_row_groups == -(-len(outcome.signals) // 2) > 3
    capture = steps.parent / "cut.jsonl.gz"
    trades = ({"e": "trade", "E": START_MS, "s": "A", "p": str(n + 1), "q": "1"} for n in range(2_000))
    lines = [json.dumps({"recv_ns": START_NS + n * NS_PER_S, "msg": trade}) + "\n" for n, trade in enumerate(trades)]
    packed = gzip.compress("".join(lines).encode())
    capture.write_bytes(packed[: len(packed) // 2])
    broken = replay(*arguments, capture)
    assert broken.status == 1
    rows = pyarrow.parquet.read_table(steps.parent / "report" / "signals.parquet").to_pylist()
    assert rows == _with_notes(broken.lines)
    assert len(rows) > 100
