"""A process whose clock is stepped, by the library libfaketime; the machine's own clock is never touched."""

from pathlib import Path

import pytest


def faked_clock(shift: str) -> dict[str, str]:
    """Variables for a process whose wall clock is off by `shift`, as `+365d` or `-1h`; its monotonic clock is right.
    Skips the test where the library is missing."""
    return {**_library(), "FAKETIME": shift}


def stepped_clock(shift: Path) -> dict[str, str]:
    """The same, where a file holds the shift: the clock is stepped when the file is written."""
    return {**_library(), "FAKETIME_TIMESTAMP_FILE": str(shift), "FAKETIME_NO_CACHE": "1"}


def _library() -> dict[str, str]:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
