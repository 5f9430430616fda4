"""A folder that the examples of a property test share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.markets.generated_captures import Received, write_capture

WriteCaptures = Callable[..., list[Path]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traders and recordings, which each example writes anew."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def captures() -> Iterator[WriteCaptures]:
    """Writes a capture for each list of messages that is not empty."""
    with TemporaryDirectory() as name:

        def write(*lists: list[Received]) -> list[Path]:
            return [
                write_capture(messages, Path(name) / f"{number}.jsonl")
                for number, messages in enumerate(lists)
                if messages
            ]

        yield write
