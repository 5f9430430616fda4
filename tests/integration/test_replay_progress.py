"""The progress bar of a replay: it moves with the recording's time."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS
from tests.support.markets.replays import NO_SETTINGS, write_ticks
from tests.support.processes.commands import tickflag_command
from tests.support.processes.terminal import PseudoTerminal
from tests.support.processes.waiting import WITHIN_S, allowed_s

START_NS = START_MS * 1_000_000
SECOND_NS = 1_000_000_000


@pytest.mark.parametrize("arguments", [(), ("--from", "2024-03-04T14:00:20"), ("--against", "full")])
def test_the_bar_moves_without_a_signal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A trader matches nothing, and waits at three quarters of the recording: there the bar stands, though there was no
    signal; rows are dense at the beginning, but the bar counts time, history included. Standard output has no bar."""
    going = tmp_path / "going"
    body = f"""\
@hookimpl
def evaluate(market):
    while market.time_ns >= {START_NS + 75 * SECOND_NS} and not os.path.exists({str(going)!r}):
        time.sleep(0.01)
    return np.full(len(market), np.nan)
"""
    trader = write_trader(tmp_path, "waits", body)
    at_s = [*(n / 100 for n in range(1_000)), *range(10, 101, 5)]
    rows = [(START_NS + int(at * SECOND_NS), "A", 5.0 + n % 2, 1.0, None, None) for n, at in enumerate(at_s)]
    path = write_ticks(tmp_path / "ticks.parquet", rows)
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("TICKFLAG_")}
    environment |= {"TICKFLAG_CONFIG": str(NO_SETTINGS), "TERM": "xterm", "COLUMNS": "100"}
    command = tickflag_command("replay", "--json", "--traders", trader, *arguments, path)
    with (
        PseudoTerminal() as terminal,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal.file
        ) as process,
    ):
        try:
            terminal.wait_for("replay .* 75%")
            assert process.poll() is None
            going.touch()
            out, _ = process.communicate(timeout=allowed_s(WITHIN_S))
        finally:
            process.kill()
        assert "100%" in terminal.shown
    assert process.returncode == 0
    assert out.startswith((b'{"summary": ', b'{"against": '))
