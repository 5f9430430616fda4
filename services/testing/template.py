"""Template: a new trader's file and its test, made from one of the files in `templates`."""

import re
from pathlib import Path

from tickflag.common.errors import TickflagError

FOLDER = Path(__file__).with_name("templates")
TEMPLATES = ("minimal", "candles", "vector", "market")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def make_trader(name: str, template: str, folder: Path) -> list[Path]:
    """Write the trader `name` and its test to `folder`, and make the folder if it is missing; gives both files.

    Raises TickflagError for a name that no trader can have, and where a file exists already or cannot be written.
    """
    stem = stem_of(name)
    files = {folder / f"{stem}.py": f"{template}.py", folder / f"test_{stem}.py": f"test_{template}.py"}
    for path in files:
        if path.exists():
            raise TickflagError(f"{path} is there already: choose another name, or remove it")
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, source in files.items():
            text = (FOLDER / source).read_text(encoding="utf-8")
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text.replace("my-trader", name).replace("my_trader", stem))
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise TickflagError(f"cannot write to {folder}: {error.strerror}") from None
    return list(files)


def stem_of(name: str) -> str:
    """The name of the trader's file without `.py`. Raises TickflagError for a name that no trader can have."""
    if not _NAME.fullmatch(name):
        raise TickflagError(
            f"{name!r} is no trader's name: use lower-case letters, digits, `_`, `.` and `-`, at most 64, "
            "a letter or digit first"
        )
    stem = re.sub(r"[.-]", "_", name)
    if stem.startswith("test_"):
        raise TickflagError(f"{name!r} is no trader's name: files that begin with `test_` are tests")
    return stem
