"""Sources: the tables in a file that a user names. An archive may hold several; what is no table is refused by kind."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickflag.common.errors import TickflagError, shortage_of
from tickflag.common.recordings.casting import arrow

_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_ZIP, _PARQUET = b"PK", b"PAR1"
_SAVE_AS_CSV = "save it as CSV (UTF-8), and import that"
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", f"is an Excel workbook: {_SAVE_AS_CSV}"),
    (b"ARROW1", "is a Feather file: write it as Parquet or CSV, or use `save_recording`"),
    (b"FEA1", "is a Feather file: write it as Parquet or CSV, or use `save_recording`"),
    (b"\xff\xfe", f"is text in UTF-16: {_SAVE_AS_CSV}"),
    (b"\xfe\xff", f"is text in UTF-16: {_SAVE_AS_CSV}"),
    (b"\x89HDF", "is an HDF5 file: write it as Parquet or CSV, or use `save_recording`"),
    (b"\xfd7zXZ", "is packed with xz: unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf", "is packed with 7-Zip: unpack it, or pack it as zip or with gzip"),
    (b"{", "is JSON, not CSV; captures are recordings already: `tickflag replay` reads them"),
    (b"[", "is JSON, not CSV"),
)
_BOM = b"\xef\xbb\xbf"

# What reading a damaged archive raises; a member with a password is a RuntimeError.
UNREADABLE = (OSError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class TableSource:
    """One table: a file, or a member of a zip archive."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def stem(self) -> str:
        """The file's own name up to its first point."""
        return Path(self.member or self.path).name.partition(".")[0]

    @property
    def is_parquet(self) -> bool:
        return self._head().startswith(_PARQUET)

    def size(self) -> int:
        """Bytes of the file, or of the packed member."""
        if not self.member:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).compress_size

    def open(self) -> tuple[Any, Any]:
        """A pyarrow stream of the unpacked bytes, and the stream below it. Raises TickflagError for other kinds."""
        pa, head = arrow(), self._head()
        self.refuse_foreign(head)
        if self.member:
            archive = zipfile.ZipFile(self.path)
            raw = pa.PythonFile(archive.open(self.member), mode="r")
        else:
            raw = pa.OSFile(str(self.path))
        packed = next((codec for magic, codec in _PACKED.items() if head.startswith(magic)), None)
        return (raw if packed is None else pa.CompressedInputStream(raw, packed)), raw

    def refuse_foreign(self, head: bytes) -> None:
        """Raise TickflagError where these first bytes are those of another kind of file."""
        for magic, reason in _FOREIGN:
            if head.removeprefix(_BOM).lstrip().startswith(magic):
                raise TickflagError(f"{self} {reason}")

    def unreadable(self, error: Exception, kind: str) -> TickflagError:
        """The error to raise for one of `UNREADABLE` or of pyarrow."""
        lacking = shortage_of(error)
        if lacking:
            return TickflagError(f"{self} cannot be read: {lacking}")
        reason = getattr(error, "strerror", None)
        if reason:
            return TickflagError(f"{self} cannot be opened: {reason}")
        return TickflagError(f"{self} cannot be read as {kind}: {' '.join(str(error).split())}")

    def _head(self) -> bytes:
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    return file.read(16)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as packed:
                return packed.read(16)
        except UNREADABLE as error:
            raise self.unreadable(error, "CSV") from None


def sources(path: Path) -> Iterator[TableSource]:
    """The tables of a file. Raises TickflagError where it cannot be opened, or is an archive without any."""
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == _ZIP
        if not is_zip:
            yield TableSource(path)
            return
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except OSError as error:
        raise TickflagError(f"{path} cannot be opened: {error.strerror}") from None
    except zipfile.BadZipFile as error:
        raise TickflagError(f"{path} cannot be read as a zip archive: {error}") from None
    if any(name == "[Content_Types].xml" for name in names):
        raise TickflagError(f"{path} is an Excel workbook: {_SAVE_AS_CSV}")
    tables = [name for name in names if not name.startswith("__MACOSX/") and not name.endswith(".CHECKSUM")]
    if not tables:
        raise TickflagError(f"{path} is an archive without a file in it")
    yield from (TableSource(path, name) for name in tables)
