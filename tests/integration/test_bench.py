"""The benchmark runs, and writes what it prints. No time is judged here: a test machine may be busy."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.bench.options import Options
from tests.bench.report import SectionReport
from tests.bench.sections import dashboard_page
from tests.support.harnesses import browser
from tests.support.processes.commands import run_command
from tests.support.processes.waiting import WITHIN_S


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m tests.bench` as `./scripts/bench` starts it."""
    environment = {key: text for key, text in os.environ.items() if not key.startswith("TICKFLAG_")}
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return run_command(command, env=environment, within_s=2 * WITHIN_S)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What two quick sections, and one without its data, print and write."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    only = [word for section in ("ingest", "results", "recordings") for word in ("--only", section)]
    done = run_bench("--quick", *only, "--json", str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text())


def test_json_names_the_machine_and_the_sections(written: tuple[str, dict[str, Any]]) -> None:
    """The JSON holds facts about the machine and only the sections asked for, in their order."""
    _, result = written
    assert {"cpu", "cores", "python", "numpy", "numba"} <= result["facts"].keys()
    assert result["quick"] is True
    assert list(result["sections"]) == ["ingest", "results", "recordings"]


def test_every_measure_has_value_target_and_verdict(written: tuple[str, dict[str, Any]]) -> None:
    """A target is met or missed; without a target or a value there is no verdict."""
    _, result = written
    measures = [measure for section in result["sections"].values() for measure in section["measures"]]
    assert measures
    for measure in measures:
        assert measure.keys() == {"name", "value", "unit", "target", "passed", "note"}
        judged = bool(measure["target"]) and measure["value"] is not None
        assert (measure["passed"] is not None) == judged, measure


def test_tables_are_rectangular(written: tuple[str, dict[str, Any]]) -> None:
    """Every row has a cell for each column."""
    _, result = written
    tables = [table for section in result["sections"].values() for table in section["tables"]]
    assert tables
    for table in tables:
        assert all(len(row) == len(table["columns"]) for row in table["rows"]), table["title"]


def test_flag_memory_is_exact(written: tuple[str, dict[str, Any]]) -> None:
    """The memory of flags is exact: no busy machine changes this number."""
    _, result = written
    (bitsets,) = [m for m in result["sections"]["results"]["measures"] if "bitsets" in m["name"]]
    assert (bitsets["value"], bitsets["passed"]) == (1_000, True)


def test_text_shows_target_beside_measurement(written: tuple[str, dict[str, Any]]) -> None:
    """Every measure of the JSON is a line of the table."""
    text, result = written
    lines = text.splitlines()
    for section in result["sections"].values():
        for measure in section["measures"]:
            assert any(measure["name"] in line and measure["target"] in line for line in lines), measure["name"]


def test_missing_recordings_are_a_reason_or_the_small_ones(written: tuple[str, dict[str, Any]]) -> None:
    """Without TICKFLAG_TEST_DATA the shipped recordings are measured, or the section says why it measured none."""
    _, result = written
    section = result["sections"]["recordings"]
    assert section["tables"] or "TICKFLAG_TEST_DATA" in section["measures"][0]["note"]


def test_unknown_section_is_a_usage_error() -> None:
    """Exit code 2, and a message with the sections there are."""
    done = run_bench("--only", "nonsense")
    assert done.returncode == 2
    assert "evaluation" in done.stderr


def test_the_page_needs_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Chromium the page is not measured, and the section says why."""
    monkeypatch.setattr(browser, "CHROMIUM", None)
    found = SectionReport("dashboard")
    dashboard_page.run(found, Options(quick=True))
    assert [(measure.value, measure.note) for measure in found.measures] == [(None, "chromium is missing")]
    assert "skipped  chromium is missing" in found.text()
