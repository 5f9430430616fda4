"""Runtime folders of tests' own, with paths short enough for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickflag.common.runtime import Runtime


@contextmanager
def runtime_folder() -> Iterator[Runtime]:
    """A prepared runtime folder that is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    try:
        runtime = Runtime(root, "test")
        runtime.prepare()
        yield runtime
    finally:
        shutil.rmtree(root)
