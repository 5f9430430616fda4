"""Answers and their frames."""

import json
from typing import Any

import numpy as np
import pytest

from tickflag.services.dashboard.hub.answer import Answer, dumps


def parsed(frame: str | bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and columns of a binary frame, as the page reads them."""
    assert isinstance(frame, bytes)
    length = int.from_bytes(frame[:4], "little")
    header = json.loads(frame[4 : 4 + length])
    at = -(-(4 + length) // 8) * 8
    assert set(frame[4 + length : at]) <= {0}
    columns: dict[str, Any] = {}
    for column in header["columns"]:
        if column["type"] == "text":
            columns[column["name"]] = header["text"][column["name"]]
        else:
            columns[column["name"]] = np.frombuffer(frame, "<f8", header["rows"], at)
            at += header["rows"] * 8
    assert at == len(frame)
    return header, columns


def test_a_text_frame() -> None:
    """Names in their own letters; what is no number in JSON is null."""
    answer = Answer(
        {"symbol": "币安人生USDT", "last": float("nan"), "deep": [{"up": float("inf")}], "n": np.float64(2)}
    )
    frame = answer.frame(3)
    assert isinstance(frame, str)
    data = {"symbol": "币安人生USDT", "last": None, "deep": [{"up": None}], "n": 2.0}
    assert json.loads(frame) == {"op": "data", "id": 3, "data": data}
    assert "币" in frame
    assert answer.document() == data


@pytest.mark.parametrize("name", ["", "x", "xy", "xyz", "xyzä", "xyz12", "xyz123", "xyz1234"])
def test_a_binary_frame(name: str) -> None:
    """Columns begin at multiples of 8 whatever the header's length, in the order of the header; NaN stays NaN."""
    answer = Answer(
        {"total": 7, "name": name},
        3,
        {"score": np.array([1.5, np.nan, -2]), "mark": np.array([0, 1, 2])},
        {"symbol": ["BTC/USDT:USDT", "a", "币"], "note": ["", '"', "\n"]},
    )
    header, columns = parsed(answer.frame(9))
    assert (header["id"], header["rows"], header["data"]) == (9, 3, {"total": 7, "name": name})
    np.testing.assert_array_equal(columns["score"], [1.5, np.nan, -2])
    np.testing.assert_array_equal(columns["mark"], [0, 1, 2])
    assert columns["symbol"] == ["BTC/USDT:USDT", "a", "币"]
    assert columns["note"] == ["", '"', "\n"]


def test_an_empty_table() -> None:
    """No rows is a table as well."""
    header, columns = parsed(Answer({}, 0, {"score": np.array([])}, {"symbol": []}).frame(0))
    assert header["rows"] == 0
    assert {name: len(column) for name, column in columns.items()} == {"symbol": 0, "score": 0}


def test_the_document_of_a_table() -> None:
    """One dict a row, for programs."""
    answer = Answer({"total": 2}, 2, {"score": np.array([1.0, np.nan])}, {"symbol": ["a", "b"]})
    rows = [{"symbol": "a", "score": 1.0}, {"symbol": "b", "score": None}]
    assert answer.document() == {"total": 2, "rows": rows}


def test_all_viewers_share_one_encoding() -> None:
    """Two frames of an answer differ in the id only, and the columns are encoded once."""
    answer = Answer({"a": 1}, 1, {"score": np.array([1.0])})
    first, second = answer.frame(1), answer.frame(2)
    assert isinstance(first, bytes)
    assert first.replace(b'"id":1', b'"id":2') == second
    assert answer._bytes is answer._bytes


def test_json_without_spaces() -> None:
    """A frame is as short as it can be."""
    assert dumps({"a": [1, None, float("-inf")]}) == '{"a":[1,null,null]}'
