"""Switching: what feature flags and audits cost a trader, in a cycle and when something changes."""

import statistics
from pathlib import Path

import numpy as np

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.market import SHIPPED, BenchMarket, runtime_folder
from tests.bench.timing import cpu_ns, in_turn, per_call_ns
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.messages import Control
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.session import TraderSession

SYMBOLS = 5_000
FLAGGED = 100
RULES = 20  # feature flags that differ from the catalog

SIDES = {
    "no audits, no flags set": (0.0, False),
    f"no audits, {RULES} flags set": (0.0, True),
    "audits of 1 % of the cycles, at most 2 % of the time": (1.0, False),
}
BARE, FLAGS, AUDITS = SIDES


def run(options: Options) -> SectionReport:
    found = SectionReport("switching")
    cycles = 40 if options.quick else 1_000
    with runtime_folder() as runtime, BenchMarket(runtime, SYMBOLS, history=100) as bench_market:
        sessions = {side: _session(runtime, share) for side, (share, _) in SIDES.items()}
        for side, (_, flags) in SIDES.items():
            if flags:
                sessions[side].follow_control(_control(1))
        times = _cycles_ns(bench_market, sessions, cycles)
        mean = {side: statistics.mean(values) / 1_000 for side, values in times.items()}
        rows = [[side, mean[side], statistics.median(times[side]) / 1_000, mean[side] / mean[BARE]] for side in SIDES]
        title = f"CPU of a cycle, RSI over 100 candles, {FLAGGED} of {SYMBOLS:,} flagged, {cycles:,} cycles"
        found.tables.append(ReportTable(title, ["", "mean us", "median us", "ratio of means"], rows))
        found.plainly(f"{RULES} feature flags: times the CPU of a cycle without", mean[FLAGS] / mean[BARE], "x")
        found.plainly("audits at their defaults: times the CPU of a cycle without", mean[AUDITS] / mean[BARE], "x")
        session, same = sessions[FLAGS], _control(1)
        found.plainly(
            "a control state that changes no flag", per_call_ns(lambda: session.follow_control(same), 200) / 1_000, "us"
        )
        states = iter(range(2, 1 << 30))
        took_ns = per_call_ns(lambda: session.follow_control(_control(next(states))), 50)
        found.plainly(f"a control state with other rules: {RULES} compiled", took_ns / 1_000, "us")
    return found


def _session(runtime: Runtime, share: float) -> TraderSession:
    settings = Settings(
        runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
        instance=runtime.folder.name,
        audit={"share": share},  # type: ignore[arg-type] # as above
    )
    spec = LaunchSpec(SHIPPED / "rsi.py", "", {}, Path(runtime.folder / "rsi.handover"))
    session = TraderSession(spec, load_plugin(spec.source), 1, settings, runtime, lambda _frame: True)
    session.housekeep(1)
    return session


def _control(state: int) -> Control:
    """A control state with percentages, so that each feature flag needs a hash; each state has different ones."""
    rule = {"default": False, "percentage": 1.0 + state % 90}
    return Control(state_version=state, time_ms=1, features={f"flag_{number}": rule for number in range(RULES)})


def _cycles_ns(bench_market: BenchMarket, sessions: dict[str, TraderSession], cycles: int) -> dict[str, list[int]]:
    """CPU of each cycle by side; the sides take turns. The audits' budget uses the clock of these cycles, 100 ms
    apart."""
    times: dict[str, list[int]] = {side: [] for side in sessions}
    for number in range(cycles + 2):
        bench_market.tick(np.arange(SYMBOLS) if number < 2 else bench_market.activity.distinct(FLAGGED), 100_000_000)
        bench_market.swap()
        for side in in_turn(list(sessions), number):
            session = sessions[side]
            assert session.ready(bench_market.now_ns)
            taken = cpu_ns(session.step, bench_market.now_ns, _nothing)
            if number >= 2:
                times[side].append(taken)
    return times


def _nothing() -> None:
    """Do nothing between chunks."""
