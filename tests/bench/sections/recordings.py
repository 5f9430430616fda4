"""Recordings: real markets through the whole engine in lock-step, with tracking on and off, debug ring on and off."""

import statistics
from pathlib import Path

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.market import HERE, SHIPPED
from tests.bench.timing import cpu_ns, in_turn
from tickflag.common.segment import layout
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.services.feed.recordings import open_recording
from tickflag.services.replay.replay import Replay, Summary
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

REAL = ("klines_1m_aapl_options_20140606.parquet", "quotes_1m_goog_options_20151224.parquet")
QUICK = ("klines_1m_goog_options_20151224.parquet",)
SMALL = HERE.parent / "recordings"


def run(options: Options) -> SectionReport:
    found = SectionReport("recordings")
    paths = _paths(options)
    if not paths:
        found.plainly("real recordings", None, "", "TICKFLAG_TEST_DATA is not set and tests/recordings has none")
        return found
    rows = []
    for path in paths:
        rows += _recording(found, options, path)
    columns = ["recording", "", "updates", "symbols", "cycles", "evaluations", "efficiency %", "CPU s", "result bytes"]
    found.tables.append(ReportTable("the six shipped traders over recordings, in lock-step", columns, rows))
    return found


def _paths(options: Options) -> list[Path]:
    if options.recordings is not None:
        paths = [options.recordings / name for name in (QUICK if options.quick else REAL)]
        return [path for path in paths if path.exists()]
    return sorted(SMALL.glob("*.parquet"))[: 1 if options.quick else 2]


def _recording(found: SectionReport, options: Options, path: Path) -> list[list[str | float | int | None]]:
    sides = {"tracking": (True, False), "all symbols": (False, False), "tracking, debug ring": (True, True)}
    used: dict[str, list[int]] = {side: [] for side in sides}
    summaries: dict[str, Summary] = {}
    for repeat in range(1 if options.quick else 2):
        for side in in_turn(list(sides), repeat):
            took, summaries[side] = _replay(path, *sides[side])
            used[side].append(took)
    cpu = {side: statistics.median(values) / 1e9 for side, values in used.items()}
    on, off = summaries["tracking"], summaries["all symbols"]
    same = on.matches == off.matches
    stem = path.name.split(".")[0]
    found.at_most(f"{stem}: matches that differ with tracking off", 0 if same else 1, 0, "")
    found.plainly(f"{stem}: efficiency", 100 * on.efficiency, "%")
    found.plainly(
        f"{stem}: CPU saved by tracking, reading the file included",
        100 * (1 - cpu["tracking"] / cpu["all symbols"]),
        "%",
    )
    return [
        [
            stem, side, summary.ticks, summary.symbols, summary.cycles, summary.processed,
            100 * summary.efficiency, cpu[side], summary.bytes_sent,
        ]
        for side, summary in summaries.items()
    ]  # fmt: skip


def _replay(path: Path, tracking: bool, debug: bool) -> tuple[int, Summary]:
    """CPU ns and summary of one replay."""
    settings = Settings(trader=TraderBlock(tracking=tracking))  # type: ignore[call-arg] # defaults
    plugins = [load_plugin(file) for file in sorted(SHIPPED.glob("[a-z]*.py"))]
    faults: list[str] = []
    with Replay(settings, [open_recording(path, lambda _fault: None)], plugins, faults.append) as engine:
        engine.player.market.segment.arrays.living[layout.DEBUG_ON] = int(debug)

        def play() -> None:
            for _ in engine.run():
                pass

        return cpu_ns(play), engine.summary()
