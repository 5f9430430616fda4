import errno
import json
import sys

import pytest
import structlog

from tests.support.stand_ins.lost_stream import LostStream
from tickflag.common.log import configure


@pytest.fixture(autouse=True)
def _former_log() -> object:
    """Put the log's former settings back: they belong to the process."""
    former = structlog.get_config()
    yield
    structlog.configure(**former)


def test_json_lines_carry_service_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for programs is one JSON object with event, level, UTC time, service and the given fields."""
    log = configure("feed", style="json")
    log.info("cycle closed", cycle=7)
    line = json.loads(capsys.readouterr().out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "cycle closed", "level": "info", "service": "feed", "cycle": 7}


def test_console_lines_name_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for people has the event and its fields, without colours where there is no terminal."""
    configure("trader").warning("worker died", trader="spread")
    out = capsys.readouterr().out
    assert "worker died" in out
    assert "trader=spread" in out
    assert "service=trader" in out
    assert "\x1b" not in out


def test_no_text_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape codes of a name are shown as such."""
    configure("feed").info("\x1b[2Jnew", symbol="BTC\x1b[2J")
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("style", ["console", "json"])
def test_an_exception_is_written_with_its_traceback(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Either style shows the traceback of an exception that is logged, without a warning of the library."""
    log = configure("feed", style=style)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        log.exception("cycle failed")
    out = capsys.readouterr().out
    assert "Traceback" in out
    assert "ValueError: what went wrong" in out


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """`level` is the least severity that is written."""
    log = configure("feed", level="warning")
    log.info("not this")
    log.error("but this")
    out = capsys.readouterr().out
    assert "not this" not in out
    assert "but this" in out


def test_context_is_added_to_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields bound to the context are in every line."""
    log = configure("feed", style="json")
    with structlog.contextvars.bound_contextvars(cycle=9):
        log.info("inside")
    assert json.loads(capsys.readouterr().out)["cycle"] == 9


@pytest.mark.parametrize("at", ["write", "flush"])
@pytest.mark.parametrize(("number", "gone"), [(errno.EIO, True), (errno.EPIPE, True), (errno.ENOSPC, False)])
def test_a_line_that_cannot_be_written(number: int, gone: bool, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is dropped; only where nobody can read the log any more is that told."""
    told: list[bool] = []
    monkeypatch.setattr(sys, "stdout", LostStream(number, at))
    configure("feed", on_gone=lambda: told.append(True)).info("lost")
    assert bool(told) is gone


def test_without_anybody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of which nobody wants to know drops its lines as well."""
    monkeypatch.setattr(sys, "stdout", LostStream(errno.EIO))
    configure("feed").info("lost")
