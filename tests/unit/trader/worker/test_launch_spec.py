"""The launch of a worker's trader travels as plain values."""

from importlib.metadata import EntryPoint
from pathlib import Path

import msgpack
import pytest

from tickflag.services.trader.worker.launch_spec import LaunchSpec


@pytest.mark.parametrize(
    ("source", "name", "label"),
    [
        (Path("/traders/rsi.py"), "", "rsi"),
        (Path("/traders/rsi.py"), "rsi_fast", "rsi_fast"),
        (EntryPoint("pack", "mine.pack", "tickflag.traders"), "", "pack"),
    ],
)
def test_words_and_back(source: Path | EntryPoint, name: str, label: str) -> None:
    """Nothing is lost on the way. Until a trader reports its name, it is called after its file or entry point."""
    spec = LaunchSpec(source, name, {"length": 14}, Path("/run/rsi.handover"))
    assert LaunchSpec.of_words(msgpack.unpackb(msgpack.packb(spec.to_words()))) == spec
    assert spec.label == label
