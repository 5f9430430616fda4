"""What the chart's script computes, run by node: views, labels and groups of marks."""

import json
import random
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from tickflag.services.replay.study.chart import SCRIPTS, TEMPLATE

NODE = shutil.which("node")
SCALE, PAGE = SCRIPTS
WHOLE = [1_709_560_800_000, 1_709_647_200_000]
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: it runs the script of the chart")


def _computed(expression: str, cases: Any) -> Any:
    """The expression for each of the cases, which it knows as `one`."""
    program = f"{SCALE.read_text()}\nconst cases = {json.dumps(cases)};\n"
    program += f"process.stdout.write(JSON.stringify(cases.map(one => {expression})));"
    assert NODE is not None
    done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_groups_lie_apart_and_hold_every_point() -> None:
    """No two groups are closer than asked; each has the mean of its points; close points are told apart by a zoom."""
    chance = random.Random(1)
    cases = [
        [[chance.uniform(0, 1_000), chance.uniform(0, 400), i] for i in range(chance.randrange(0, 200))]
        for _ in range(60)
    ] + [[[5.0, 1.0, 0], [5.0, 3.0, 1]], [[float(n), 0.0, n] for n in range(500)]]
    for points, groups in zip(cases, _computed("clustered(one, 24)", cases), strict=True):
        assert sorted(point[2] for group in groups for point in group["points"]) == list(range(len(points)))
        places = [group["x"] for group in groups]
        assert all(after - before >= 24 for before, after in pairwise(places))
        for group in groups:
            for key, column in (("x", 0), ("y", 1)):
                values = [point[column] for point in group["points"]]
                assert group[key] == pytest.approx(sum(values) / len(values))
        ordered = [point for group in groups for point in group["points"]]
        assert [point[0] for point in ordered] == sorted(point[0] for point in points)
    wide = [[[10.0 * zoom * n, 0.0, n] for n in range(10)] for zoom in (1, 3)]
    assert [len(groups) for groups in _computed("clustered(one, 24)", wide)][1] == 10


@needs_node
def test_a_view_stays_within_the_whole() -> None:
    """A zoom keeps its moment in place unless an end is in the way; no view leaves the whole or gets too short."""
    chance = random.Random(2)
    start, end = WHOLE
    cases: list[Any] = []
    for _ in range(300):
        begin = chance.uniform(start, end - 1_000)
        view = [begin, chance.uniform(begin + 500, end)]
        cases.append([view, chance.uniform(*view), chance.choice([0.001, 0.5, 0.7, 1.4, 2, 1_000]), WHOLE])
    for (view, at, factor, _), (first, last) in zip(cases, _computed("zoomed(...one)", cases), strict=True):
        assert start - 1e-3 <= first < last <= end + 1e-3
        span = min(max((view[1] - view[0]) * factor, 100), end - start)
        assert last - first == pytest.approx(span, rel=1e-6)
        if first > start + 1 and last < end - 1:
            assert (at - first) / span == pytest.approx((at - view[0]) / (view[1] - view[0]), abs=1e-6)
    moves: list[Any] = [[view, chance.uniform(-1, 1) * 90_000_000, WHOLE] for view, *_ in cases]
    for (view, by, _), (first, last) in zip(moves, _computed("moved(...one)", moves), strict=True):
        assert last - first == pytest.approx(view[1] - view[0])
        wanted = min(max(view[0] + by, start), end - (view[1] - view[0]))
        assert first == pytest.approx(wanted)


@needs_node
def test_times_have_milliseconds() -> None:
    """Texts have the whole time; labels have as much as their step needs."""
    times = [WHOLE[0] + 86_399_999, WHOLE[0], 1_007]
    expected = [f"{datetime.fromtimestamp(ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}.{ms % 1_000:03d}" for ms in times]
    assert _computed("moment(one)", times) == expected
    noon = 1_709_553_600_000
    cases = [[noon, 60_000], [noon + 1_000, 1_000], [noon + 7, 1], [noon, 86_400_000], [noon - 43_200_000, 60_000]]
    assert _computed("timeLabel(...one)", cases) == ["12:00", "12:00:01", "12:00:00.007", "2024-03-04", "03-04"]


@needs_node
def test_steps_of_the_axes() -> None:
    """There are never more labels than wanted, and at least some; each is a multiple of the step within the ends."""
    spans = [10.0**n * factor for n in range(-6, 7) for factor in (1, 1.7, 4.4, 9.9)]
    for span, step in zip(spans, _computed("niceStep(one, 7)", spans), strict=True):
        assert span / step <= 7 < 7.01 * 5 * span / step
    times = [100, 1_000, 61_000, 3_600_000, 86_400_000 * 3, 86_400_000 * 400]
    for span, step in zip(times, _computed("niceStep(one, 10, TIME_STEPS)", times), strict=True):
        assert 1 <= span / step <= 10
    [found] = _computed("multiples(...one)", [[0.25, 1.05, 0.1]])
    assert found == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@needs_node
def test_spans_that_touch_are_one() -> None:
    """Thousands of matches need no rectangle each."""
    cases = [[[0, 2], [1, 5], [5.2, 6], [9, 9]], []]
    assert _computed("joined(one, 0.5)", cases) == [[[0, 6], [9, 9]], []]


@needs_node
def test_the_scripts_can_be_read() -> None:
    """Both scripts together are valid."""
    assert NODE is not None
    text = "".join(path.read_text() for path in SCRIPTS)
    done = subprocess.run([NODE, "--check", "-"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_has_what_the_script_looks_for() -> None:
    """Every element that the script asks for by its id is on the page; the scripts end no script element."""
    page, script = TEMPLATE.read_text(), "".join(path.read_text() for path in SCRIPTS)
    for name in ("data", "trader", "symbol", "chart", "note", "closer", "wider", "all"):
        assert f'"{name}"' in script
        assert f'id="{name}"' in page
    assert "</script" not in script
    assert page.count("{{script}}") == page.count("{{data}}") == 1
