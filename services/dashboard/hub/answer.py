"""Answer: the data of one topic at one moment, and its frames for viewers.

    text frame      {"op": "data", "id": 3, "data": {...}}
    binary frame    4 bytes LE: length of the header | header, JSON | zeros up to a multiple of 8 | f64 columns, LE

An answer with rows makes binary frames. It is encoded once, however many viewers get it; only the id differs.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 8


class Answer:
    """Immutable after its creation: any thread may read it.

    Numbers that are not finite become null in `data`, and stay NaN or infinite in `numbers`.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        rows: int | None = None,
        numbers: Mapping[str, NDArray[Any]] | None = None,
        texts: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.data = data
        self.rows = rows
        """How many rows there are; None for an answer without a table."""
        self.numbers = {name: np.ascontiguousarray(column, "<f8") for name, column in (numbers or {}).items()}
        """Name -> column of numbers."""
        self.texts = {name: list(column) for name, column in (texts or {}).items()}
        """Name -> column of texts."""

    def frame(self, identity: int) -> str | bytes:
        """The frame for the subscription of this id."""
        if self.rows is None:
            return f'{{"op":"data","id":{identity},{self._plain}}}'
        header = f'{{"id":{identity},{self._plain},{self._table}}}'.encode()
        padding = b"\0" * (-(4 + len(header)) % _ALIGNMENT)
        return b"".join((len(header).to_bytes(4, "little"), header, padding, self._bytes))

    def document(self) -> dict[str, Any]:
        """The data as JSON holds it; the table as a list of rows under `rows`, each a dict."""
        document: dict[str, Any] = finite(dict(self.data))
        if self.rows is not None:
            columns = {**self.texts, **{name: finite(column.tolist()) for name, column in self.numbers.items()}}
            document["rows"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return document

    @cached_property
    def _plain(self) -> str:
        return f'"data":{dumps(self.data)}'

    @cached_property
    def _table(self) -> str:
        kinds = {**dict.fromkeys(self.texts, "text"), **dict.fromkeys(self.numbers, "f64")}
        columns = [{"name": name, "type": kind} for name, kind in kinds.items()]
        return f'"rows":{self.rows},"columns":{dumps(columns)},"text":{dumps(self.texts)}'

    @cached_property
    def _bytes(self) -> bytes:
        return b"".join(column.tobytes() for column in self.numbers.values())


def dumps(document: Any) -> str:
    """JSON without spaces; numbers that are not finite are null."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(finite(document), ensure_ascii=False, separators=(",", ":"))


def finite(value: Any) -> Any:
    """The value with None in place of every number that JSON does not have, in dicts and lists too."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
