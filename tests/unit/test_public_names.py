"""What users import: `tickflag` has all they need, and loads nothing before it is used."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import tickflag
from tickflag.common import traderapi


def test_every_name_is_there() -> None:
    """Each name can be imported, is listed, and is the object that the engine uses."""
    assert tickflag.__all__ == sorted(tickflag.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert len(set(tickflag.__all__)) == len(tickflag.__all__)
    assert all(getattr(tickflag, name) is not None for name in tickflag.__all__)
    assert {*tickflag.__all__, "__version__"} <= set(dir(tickflag))


def test_it_has_all_of_the_trader_api() -> None:
    """What a trader may see is public under the same name."""
    assert set(traderapi.__all__) <= set(tickflag.__all__)
    assert all(getattr(tickflag, name) is getattr(traderapi, name) for name in traderapi.__all__)


def test_the_version_is_the_package_s() -> None:
    """`pip` knows the same version."""
    assert tickflag.__version__ == version("tickflag")


def test_a_name_that_is_not_there() -> None:
    """The error is the same as for any module."""
    with pytest.raises(AttributeError, match="module 'tickflag' has no attribute 'nothing'"):
        _ = tickflag.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'tickflag'"):
        exec("from tickflag import nothing")


def test_importing_costs_nothing() -> None:
    """Neither numpy nor any module of ours is loaded; a name loads what it needs, and a trader's names load no
    client."""
    program = """
import sys, tickflag
loaded = {name for name in sys.modules if name.startswith("tickflag.")} | {"numpy", "zmq", "numba"} & set(sys.modules)
assert not loaded, loaded
from tickflag import Market, Trader, hookimpl, sma
assert not {"zmq", "tickflag.common.client", "tickflag.services"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
