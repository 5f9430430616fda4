"""`notices`: what is said where there are none."""

from tests.unit.cli.conftest import Answers, Run
from tickflag.common.runtime import Runtime


def test_without_notices_a_line_says_so(runtime: Runtime, run: Run, answers: Answers) -> None:
    """On standard error, where it is in nobody's way."""
    answers["notices"] = {"notices": [], "first_seq": 1, "last_seq": 0, "journal_id": "one"}
    assert (run("notices").stdout, run("notices").stderr) == ("", "tickflag: no notices yet\n")
    assert run("notices", "--since", "7").stderr == "tickflag: no notices above 7\n"
    assert run("notices", "--json").stderr == ""
