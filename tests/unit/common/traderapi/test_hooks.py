import inspect
from typing import Any

import pytest

from tickflag.common.traderapi import hooks


@pytest.mark.parametrize("hook", [hooks.settings, hooks.trader, hooks.evaluate, hooks.evaluate_symbol])
def test_a_hook_is_described_and_does_nothing(hook: Any) -> None:
    """A hook here is the contract; only plugins implement it, with a view and their settings as arguments."""
    parameters = inspect.signature(hook).parameters
    assert inspect.getdoc(hook)
    assert set(parameters) <= {"market", "symbol", "settings"}
    with pytest.raises(NotImplementedError):
        hook(*[None] * len(parameters))
