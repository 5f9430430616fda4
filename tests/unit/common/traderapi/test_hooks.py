import inspect
from typing import Any

import pytest

from common.traderapi import hooks


@pytest.mark.parametrize("hook", [hooks.trader, hooks.evaluate, hooks.evaluate_symbol])
def test_a_hook_is_described_and_does_nothing(hook: Any) -> None:
    """What stands here is the contract; only plugins implement it, with at most the one argument."""
    parameters = inspect.signature(hook).parameters
    assert inspect.getdoc(hook)
    assert len(parameters) <= 1
    with pytest.raises(NotImplementedError):
        hook(*[None] * len(parameters))
