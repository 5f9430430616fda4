"""The order of tests in several processes: long ones come first, and tests that share an engine stay together."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.processes.schedule import SlowestFirst, rank


@pytest.fixture
def scheduler() -> Any:
    """A scheduler for two processes."""
    return SlowestFirst(SimpleNamespace(option=SimpleNamespace(), getvalue=lambda _name: ["2*popen"]))


def test_engines_come_before_what_takes_milliseconds() -> None:
    """Faults come first, then integration, then the rest, unit tests last."""
    folders = ["unit", "model", "integration", "faults", "property"]
    assert sorted(folders, key=lambda folder: rank(f"tests/{folder}/test_it.py")) == [
        "faults",
        "integration",
        "property",
        "model",
        "unit",
    ]


@pytest.mark.parametrize(
    ("path", "together"),
    [
        ("tests/faults/test_kill.py", False),
        ("tests/integration/test_cli.py", True),
        ("tests/unit/support/test_schedule.py", True),
    ],
    ids=["an engine a test", "an engine a module", "a unit"],
)
def test_what_is_handed_out_as_a_whole(scheduler: Any, path: str, together: bool) -> None:
    """Modules are handed out whole, except long tests that share nothing."""
    scopes = {scheduler._split_scope(f"{path}::{name}") for name in ("test_one", "test_two[a::b]")}
    assert (len(scopes) == 1) == together


def test_a_folder_with_an_engine_of_its_own_stays_together(scheduler: Any) -> None:
    """All tests of a folder whose conftest shares a fixture run in one process."""
    paths = ("tests/integration/dashboard/test_page.py", "tests/integration/dashboard/test_views.py")
    assert len({scheduler._split_scope(f"{path}::test_one") for path in paths}) == 1
