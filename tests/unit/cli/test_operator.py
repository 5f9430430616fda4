"""operator: who gives a command."""

import getpass
import os

import pytest

from tickflag.services.cli.operator import operator


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set in the environment")])
def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Its number is told, as in a container."""

    def fail() -> str:
        raise error

    assert operator() == getpass.getuser()
    monkeypatch.setattr(getpass, "getuser", fail)
    assert operator() == f"uid {os.getuid()}"
