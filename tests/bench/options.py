"""The options of the benchmark's user."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: sizes and durations that only show that everything runs."""

    quick: bool = False

    @property
    def recordings(self) -> Path | None:
        """The folder of recorded markets, where there is one."""
        folder = os.environ.get("TICKFLAG_TEST_DATA")
        return Path(folder) if folder and Path(folder).is_dir() else None
