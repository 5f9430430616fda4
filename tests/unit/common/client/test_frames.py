"""Frames of whichever library is installed, with the same columns and types."""

import importlib.util
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tickflag.common.client.frames import column, maker, times
from tickflag.common.errors import TickflagError

COLUMNS = {
    "symbol": np.array(["A", "B"]),
    "time": times(np.array([1_700_049_600_000_000_000, 0])),
    "price": np.array([1.5, np.nan]),
}


def test_pandas_has_an_index_and_zones() -> None:
    """Times are UTC; the index is set where it is asked for."""
    frame = maker("pandas")(COLUMNS, ["symbol"])
    assert frame.index.tolist() == ["A", "B"]
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert frame.loc["A", "time"] == pd.Timestamp("2023-11-15 12:00", tz="UTC")
    assert list(maker("pandas")(COLUMNS, []).columns) == list(COLUMNS)


def test_polars_has_columns() -> None:
    """The same columns, with the same zone."""
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = maker("polars")(COLUMNS, ["symbol"])
    assert frame.columns == list(COLUMNS)
    assert frame.schema["time"] == polars.Datetime("ns", "UTC")
    assert frame["symbol"].to_list() == ["A", "B"]


def test_numpy_needs_nothing() -> None:
    """A dict of the arrays."""
    assert maker("numpy")(COLUMNS, ["symbol"]) == COLUMNS


@pytest.mark.parametrize(
    ("missing", "kind"), [((), "DataFrame"), (("pandas",), "DataFrame"), (("pandas", "polars"), "dict")]
)
def test_the_first_library_there_is(monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], kind: str) -> None:
    """The order is pandas, polars, plain arrays."""
    pytest.importorskip("polars", reason="polars is not installed")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    made = maker(None)(COLUMNS, ["symbol"])
    assert type(made).__name__ == kind
    assert type(made).__module__.split(".")[0] not in missing
    for name in missing:
        with pytest.raises(TickflagError, match=f"{name} is not installed: pip install {name}"):
            maker(name)  # type: ignore[arg-type] # the names are kinds


def test_a_library_that_is_none() -> None:
    """The error names the choices."""
    with pytest.raises(TickflagError, match="frame 'excel': use one of pandas, polars, numpy"):
        maker("excel")  # type: ignore[arg-type] # what a user may give


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([True, False], "b", [True, False]),
        ([1, 2], "i", [1, 2]),
        ([1, 2.5], "f", [1.0, 2.5]),
        ([1, 2.5, None], "f", [1.0, 2.5, pytest.approx(np.nan, nan_ok=True)]),
        (["a", None], "U", ["a", ""]),
        ([["x"], {}], "U", ["['x']", "{}"]),
        ([], "U", []),
    ],
)
def test_columns_of_documents(values: list[Any], kind: str, expected: list[Any]) -> None:
    """A column has one type, whatever its values."""
    found = column(values)
    assert found.dtype.kind == kind
    assert found.tolist() == expected
