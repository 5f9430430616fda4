"""`circuits` and `errors` of a trader."""

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Runtime


@pytest.mark.parametrize(("command", "nothing"), [("circuits", []), ("errors", {"errors": [], "forgotten": 0})])
def test_a_trader_that_nobody_knows(
    runtime: Runtime, run: Run, answers: Answers, command: str, nothing: object
) -> None:
    """It is refused with those that are known; one that is known has no failures."""
    answers.update({command: lambda trader: nothing, "traders": [trader_line("rsi")]})
    result = run(command, "nosuch")
    assert (result.exit_code, result.stderr) == (1, "tickflag: no trader 'nosuch': known are rsi\n")
    assert run(command, "rsi").stdout.startswith("no ")
    assert run(command).stdout.startswith("no ")
