import json

import pytest
import structlog

from common.log import configure


@pytest.fixture(autouse=True)
def _former_log() -> object:
    """The log is the process's: put back what was set up before."""
    former = structlog.get_config()
    yield
    structlog.configure(**former)


def test_json_lines_carry_service_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for programs is one JSON object with event, level, UTC time, the service and the fields given."""
    log = configure("feed", style="json")
    log.info("cycle closed", cycle=7)
    line = json.loads(capsys.readouterr().out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "cycle closed", "level": "info", "service": "feed", "cycle": 7}


def test_console_lines_name_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for people has the event and its fields, and no colours where no terminal is there."""
    configure("trader").warning("worker died", trader="spread")
    out = capsys.readouterr().out
    assert "worker died" in out
    assert "trader=spread" in out
    assert "service=trader" in out
    assert "\x1b" not in out


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
    """Fields bound to the context stand in every line."""
    log = configure("feed", style="json")
    with structlog.contextvars.bound_contextvars(cycle=9):
        log.info("inside")
    assert json.loads(capsys.readouterr().out)["cycle"] == 9
