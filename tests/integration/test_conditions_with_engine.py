"""The commands that talk to a running engine, under the conditions of a machine that concern them."""

import concurrent.futures
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import BY_ARRAY
from tests.support.processes import conditions
from tests.support.processes.conditions import Condition, fine

LINES = ("status", "matches busy", "signals", "flags set audit 5", "segment swap", "errors", "top --once")
BESIDE = ("set XDG_CACHE_HOME", "NUMBA_CACHE_DIR is not used")
FULL = "the output cannot be written"
# Condition -> exit code, and what the one line says.
CONDITIONS: dict[Callable[[Condition], None], tuple[int, str]] = {
    conditions.without_name_and_home: (0, ""),
    conditions.latin_1: (0, ""),
    conditions.foreign_cache: (0, ""),
    conditions.cache_of_all: (0, ""),
    conditions.full_output: (1, FULL),
    conditions.few_descriptors: (0, ""),
    conditions.clock_ahead: (0, ""),
    conditions.clock_behind: (0, ""),
    conditions.closed_output: (0, ""),
    conditions.dead_output: (0, ""),
}
QUICK = (conditions.without_name_and_home,)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with one trader and a market that never ends."""
    folder = tmp_path_factory.mktemp("conditions")
    write_trader(folder / "traders", "busy", BY_ARRAY)
    with Engine(folder, {"TICKFLAG_SYNTHETIC__RATE": "500"}, folder / "traders") as engine:
        engine.start()
        engine.wait_ready()
        yield engine


@pytest.mark.parametrize(
    "condition",
    [pytest.param(one, marks=() if one in QUICK else pytest.mark.soak) for one in CONDITIONS],
    ids=lambda condition: condition.__name__,
)
def test_commands_under_a_condition(engine: Engine, condition: Callable[[Condition], None]) -> None:
    """They do what was asked for, or say in one line why not; the engine goes on."""
    code, words = CONDITIONS[condition]
    with tempfile.TemporaryDirectory(prefix="tf-", dir="/tmp") as base:
        one = fine(Path(base))
        one.env.update({name: value for name, value in engine.env.items() if name.startswith("TICKFLAG_")})
        condition(one)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(lambda line: one.run(tuple(line.split())), LINES))
    faults = [
        (line, done.returncode, done.stdout, done.stderr)
        for line, done in zip(LINES, ends, strict=True)
        if done.returncode not in ({0, 1} if condition is conditions.dead_output else {code})
        or words not in done.stderr
        or (done.stderr.count("\n") > 1 and not any(word in done.stderr for word in BESIDE))
        or "Traceback" in (done.stdout or "") + done.stderr
    ]
    assert not faults
    assert engine.request("collector", "status")
    assert engine.request("feed", "status")
