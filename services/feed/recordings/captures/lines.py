"""Lines of a capture, gzip-compressed or plain, read so that a damaged file still gives the lines before the damage."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tickflag.common.recordings.errors import RecordingError

GZIP_MAGIC = b"\x1f\x8b"

_BUFFER_BYTES = 2**17

_MAX_LINE_BYTES = 16 * 2**20
"""The longest line accepted: far above any exchange message, and a bound on memory for a file that has no line ends."""


class _Unpacked(io.RawIOBase):
    """Unpacked bytes for a buffered reader, which finds line ends far faster than a gzip file does.

    Each read gives what one step of unpacking gives, so that all bytes before damage are handed on before the error.
    """

    def __init__(self, file: gzip.GzipFile) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, line ends included.

    Raises RecordingError, which names the last line that could be read, if the file is cut off or damaged, or a line is
    too long.
    """
    count = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            file: io.BufferedReader = raw
            if packed:
                file = io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=raw, mode="rb")), _BUFFER_BYTES)
            while line := file.readline(_MAX_LINE_BYTES):
                if len(line) >= _MAX_LINE_BYTES:
                    raise _broken(path, count, f"the next line is longer than {_MAX_LINE_BYTES} bytes")
                count += 1
                yield line
    except EOFError as error:
        raise _broken(path, count, "the file is cut off after this line (the gzip data has no end)") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise _broken(path, count, f"the gzip data is damaged after this line ({error})") from error
    except OSError as error:
        raise _broken(path, count, f"cannot be read after this line ({error.strerror or error})") from error


def _broken(path: Path, line: int, reason: str) -> RecordingError:
    return RecordingError(str(path), reason, row=line, unit="line")
