"""Switching: what feature flags and audits cost a trader at work: in a cycle, and when something changes."""

import statistics
from pathlib import Path

import numpy as np

from common.messages import Control
from common.runtime import Runtime
from common.settings import Settings
from services.trader.order import Order
from services.trader.plugin import load_plugin
from services.trader.post import Post
from tests.bench.options import Options
from tests.bench.report import Findings, Table
from tests.bench.timing import cpu_ns, in_turn, per_call_ns
from tests.bench.world import SHIPPED, World, runtime_folder

SYMBOLS = 5_000
FLAGGED = 100
RULES = 20  # feature flags that are not as the catalog has them

SIDES = {
    "no audits, no flags set": (0.0, False),
    f"no audits, {RULES} flags set": (0.0, True),
    "audits of 1 % of the cycles, at most 2 % of the time": (1.0, False),
}
BARE, FLAGS, AUDITS = SIDES


def run(options: Options) -> Findings:
    found = Findings("switching")
    cycles = 40 if options.quick else 1_000
    with runtime_folder() as runtime, World(runtime, SYMBOLS, history=100) as world:
        posts = {side: _post(runtime, share) for side, (share, _) in SIDES.items()}
        for side, (_, flags) in SIDES.items():
            if flags:
                posts[side].hear(_control(1))
        times = _cycles_ns(world, posts, cycles)
        mean = {side: statistics.mean(values) / 1_000 for side, values in times.items()}
        rows = [[side, mean[side], statistics.median(times[side]) / 1_000, mean[side] / mean[BARE]] for side in SIDES]
        title = f"CPU of a cycle, RSI over 100 candles, {FLAGGED} of {SYMBOLS:,} flagged, {cycles:,} cycles"
        found.tables.append(Table(title, ["", "mean us", "median us", "ratio of means"], rows))
        found.plainly(f"{RULES} feature flags: times the CPU of a cycle without", mean[FLAGS] / mean[BARE], "x")
        found.plainly("audits at their defaults: times the CPU of a cycle without", mean[AUDITS] / mean[BARE], "x")
        post, same = posts[FLAGS], _control(1)
        found.plainly("a control state that changes no flag", per_call_ns(lambda: post.hear(same), 200) / 1_000, "us")
        states = iter(range(2, 1 << 30))
        took_ns = per_call_ns(lambda: post.hear(_control(next(states))), 50)
        found.plainly(f"a control state with other rules: {RULES} compiled", took_ns / 1_000, "us")
    return found


def _post(runtime: Runtime, share: float) -> Post:
    settings = Settings(
        runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
        instance=runtime.folder.name,
        audit={"share": share},  # type: ignore[arg-type] # as above
    )
    order = Order(SHIPPED / "rsi.py", "", {}, Path(runtime.folder / "rsi.handover"))
    post = Post(order, load_plugin(order.source), 1, settings, runtime, lambda _frame: True)
    post.look(1)
    return post


def _control(state: int) -> Control:
    """Percentages, so that each flag takes a hash; other ones in every state."""
    rule = {"default": False, "percentage": 1.0 + state % 90}
    return Control(state_version=state, time_ms=1, features={f"flag_{number}": rule for number in range(RULES)})


def _cycles_ns(world: World, posts: dict[str, Post], cycles: int) -> dict[str, list[int]]:
    """By turns. The audits' budget counts by the clock that the cycles have here, 100 ms apart."""
    times: dict[str, list[int]] = {side: [] for side in posts}
    for number in range(cycles + 2):
        world.tick(np.arange(SYMBOLS) if number < 2 else world.activity.distinct(FLAGGED), 100_000_000)
        world.swap()
        for side in in_turn(list(posts), number):
            post = posts[side]
            assert post.ready(world.now_ns)
            taken = cpu_ns(post.step, world.now_ns, _nothing)
            if number >= 2:
                times[side].append(taken)
    return times


def _nothing() -> None:
    """No chunk needs anything in between."""
