import inspect
from typing import Any

import pytest

from common.traderapi import hooks


@pytest.mark.parametrize("hook", [hooks.settings, hooks.trader, hooks.evaluate, hooks.evaluate_symbol])
def test_a_hook_is_described_and_does_nothing(hook: Any) -> None:
    """What stands here is the contract; only plugins implement it, with what they look at and their settings."""
    parameters = inspect.signature(hook).parameters
    assert inspect.getdoc(hook)
    assert set(parameters) <= {"market", "symbol", "settings"}
    with pytest.raises(NotImplementedError):
        hook(*[None] * len(parameters))
