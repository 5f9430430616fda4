"""`tickflag top` on a real terminal with a real engine: what the keys do, and that the terminal is as before."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.markets.ledger import BY_ARRAY
from tests.support.processes.commands import run_command, tickflag_command
from tests.support.processes.screen import ScreenTerminal
from tests.support.processes.waiting import WITHIN_S, allowed_s

AS_BEFORE = "\x1b[?1049l"
FAILING = """\
@hookimpl
def evaluate(market):
    raise ValueError("it never works")
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with three traders, one of which fails, and a market that never ends."""
    folder = tmp_path_factory.mktemp("top")
    for name in ("alpha", "beta"):
        write_trader(folder / "traders", name, BY_ARRAY)
    write_trader(folder / "traders", "gamma", FAILING)
    with Engine(folder, {"TICKFLAG_SYNTHETIC__RATE": "500"}, folder / "traders") as engine:
        engine.start()
        engine.wait_ready(but=["gamma"])
        yield engine


@contextmanager
def shown(
    engine: Engine, columns: int = 80, rows: int = 24
) -> Iterator[tuple[ScreenTerminal, "subprocess.Popen[bytes]"]]:
    with ScreenTerminal(columns, rows) as screen:
        process = screen.start(tickflag_command("top"), engine.env)
        try:
            screen.wait_for(r"tickflag test (live|feed)")
            screen.wait_for(r"^alpha +running")
            yield screen, process
        finally:
            process.kill()
            process.wait()


def ended(screen: ScreenTerminal, process: "subprocess.Popen[bytes]") -> int:
    """The exit code; the terminal is as before, and nothing else was said."""
    code = process.wait(allowed_s(WITHIN_S))
    assert screen.text.strip() == ""
    assert screen.raw.endswith(AS_BEFORE)
    assert screen.modes == screen.before
    return code


def test_keys(engine: Engine) -> None:
    """They sort, filter, look into a trader, show the keys, and end."""
    with shown(engine) as (screen, process):
        assert screen.modes != screen.before
        first = screen.wait_for(r"^Trader↑ ")
        assert first.index("alpha") < first.index("beta")
        screen.wait_for(r"^! gamma is failing .*: `tickflag logs gamma`")
        screen.wait_for("Just entered or left\n.*[▲▽]")
        screen.wait_for(r"^Buffers +[AB] written, oldest [\d.]+ \w+, lapped \d+, catch-ups \d+, retries \d+$")
        screen.press("b")
        screen.wait_for(r"^ticker +[AB] .*\n(.*\n)+A swap each [\d.]+ ms, which takes [\d.]+ [µm]s\.$")
        screen.press("b")
        screen.wait_for(r"^Trader↑ ")
        screen.press("r")
        turned = screen.wait_for(r"^Trader↓ ")
        assert turned.index("\nbeta") < turned.index("\nalpha")
        screen.press("ss")
        screen.wait_for(r"Matches↓")
        screen.press("/alp")
        assert "\nbeta" not in screen.wait_for("filter: alp")
        screen.press("\r")
        screen.wait_for(r"filter: alp$")
        screen.press("\r")
        screen.wait_for(r"^tickflag test live.*  alpha running")
        screen.wait_for(r"^Matches [\d,]+, the highest score first")
        screen.press("\x1b")
        screen.wait_for(r"^alpha +running")
        screen.press("\x1b")
        screen.wait_for(r"^beta +running")
        screen.press("?")
        screen.wait_for("sort the other way round")
        screen.press("q")
        assert ended(screen, process) == 0


def test_a_failing_trader(engine: Engine) -> None:
    """Its page has the error and the circuits."""
    with shown(engine) as (screen, process):
        screen.press("\x1b[F\r")  # End, Enter
        screen.wait_for(r"gamma failing")
        screen.wait_for(r"^Errors\n.*raised ValueError: it never ")
        screen.press("\x03")  # Ctrl-C
        assert ended(screen, process) == 0


def test_another_size(engine: Engine) -> None:
    """More columns show more, and few of them are enough."""
    with shown(engine) as (screen, process):
        assert "Processed a second" not in screen.text
        screen.resize(120, 40)
        screen.wait_for(r"Processed a second.*\n(.*\n)+Trader.*Per symbol")
        screen.resize(40, 10)
        screen.wait_for(r"^Trader↑ +State +Matches$")
        screen.press("q")
        assert ended(screen, process) == 0


def test_the_collector_is_killed(engine: Engine) -> None:
    """It says so, keeps what it knows, and goes on by itself when the collector is back."""
    with shown(engine) as (screen, process):
        engine.kill("collector")
        away = screen.wait_for(r"^tickflag test reconnecting")
        away = screen.wait_for(r"^! trying again; figures are of \d\d:\d\d:\d\d\n! no collector is running: ")
        assert "\nalpha" in away
        engine.start("collector")
        screen.wait_for(r"^tickflag test (live|feed \w+), back since \d\d:\d\d:\d\d")
        screen.wait_for(r"Just entered or left\n.*[▲▽]")
        screen.press("q")
        assert ended(screen, process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(engine: Engine, number: signal.Signals) -> None:
    """As `q` does."""
    with shown(engine) as (screen, process):
        process.send_signal(number)
        assert ended(screen, process) == 0


def test_it_is_stopped_and_goes_on(engine: Engine) -> None:
    """Ctrl-Z gives the terminal back until it goes on; without a shell that is at once."""
    with shown(engine) as (screen, process):
        screen.press("\x1a")
        screen.wait_for(r"^alpha +running")
        while AS_BEFORE not in screen.raw:
            screen.wait_for("")
        screen.wait_for(r"^alpha +running")
        screen.press("q")
        assert ended(screen, process) == 0


def test_its_output_dies(engine: Engine) -> None:
    """Where the keyboard is another terminal, that one is as before."""
    with ScreenTerminal() as keyboard, ScreenTerminal() as screen:
        process = subprocess.Popen(
            tickflag_command("top"),
            env={**engine.env, "TERM": "xterm"},
            stdin=keyboard.slave,
            stdout=screen.slave,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            try:
                screen.wait_for(r"^alpha +running")
                assert keyboard.modes != keyboard.before
                screen.close()
                assert process.wait(allowed_s(WITHIN_S)) == 0
                assert keyboard.modes == keyboard.before
                assert process.stderr is not None
                assert process.stderr.read() == b""
            finally:
                process.kill()


@pytest.mark.parametrize("arguments", [(), ("--once",)])
def test_without_a_terminal(engine: Engine, arguments: tuple[str, ...]) -> None:
    """One frame as text, with figures that need two looks."""
    done = engine.cli("top", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tickflag test live, up ")
    assert any(line.startswith("Ticks a second") and "-" not in line.split()[3] for line in lines)
    assert any(line.startswith("alpha ") for line in lines)
    assert "\x1b" not in done.stdout
    assert max(map(len, lines)) <= 120


def test_once_on_a_terminal(engine: Engine) -> None:
    """It leaves the screen as it is."""
    with ScreenTerminal() as screen:
        process = screen.start(tickflag_command("top", "--once"), engine.env)
        assert process.wait(allowed_s(WITHIN_S)) == 0
        assert "tickflag test live" in screen.text
        assert "\x1b[?" not in screen.raw


def test_nothing_runs(tmp_path: Path) -> None:
    """One line says so without a terminal; with one it waits for an engine."""
    with Engine(tmp_path) as idle:
        done = run_command(tickflag_command("top"), env=idle.env)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "tickflag: nothing is running for instance 'test' (start it with `tickflag start`)\n"
        with ScreenTerminal() as screen:
            process = screen.start(tickflag_command("top"), idle.env)
            screen.wait_for(r"^tickflag test no engine")
            screen.wait_for(r"^! no engine is running: `tickflag start` starts it$")
            screen.press("q")
            assert ended(screen, process) == 0
