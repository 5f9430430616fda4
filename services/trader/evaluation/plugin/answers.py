"""Answers: what a trader's hooks gave, checked, as scores and notes. The score is NaN where a symbol does not match."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from common.jit import direct
from common.messages import NOTE_LIMIT
from services.trader.kernels import INFINITE, MISSING, scores_of_floats, scores_of_mask, scores_of_pair

Floats = npt.NDArray[np.float64]
Notes = dict[int, str]


class AnswerError(Exception):
    """The answer is none of those asked for; the text says what it is."""


class Answers:
    """The kernels, ready for rows whose status is a column like `status`."""

    def __init__(self, status: npt.NDArray[np.int64]) -> None:
        mask, floats = np.zeros(0, np.bool_), np.zeros(0)
        self._of_mask = direct(scores_of_mask, mask, status, floats)
        self._of_floats = direct(scores_of_floats, floats, status, floats)
        self._of_pair = direct(scores_of_pair, mask, floats, status, floats)

    def take(self, answer: Any, status: npt.NDArray[np.int64], out: Floats) -> Notes:
        """The scores of an `evaluate` to `out`; gives the notes by place.

        Raises AnswerError; `out` is then undefined.
        """
        n = len(out)
        notes: Notes = {}
        if isinstance(answer, tuple) and len(answer) in (2, 3):
            mask, scores = (_array(part, answer) for part in answer[:2])
            if mask.dtype.kind != "b" or scores.dtype.kind not in "fiu":
                raise AnswerError(f"gave a pair of {mask.dtype} and {scores.dtype}; wanted (bool, float)")
            if mask.shape != (n,) or scores.shape != (n,):
                raise AnswerError(f"gave shapes {mask.shape} and {scores.shape}; wanted ({n},) twice")
            fault = self._of_pair(_plain(mask, np.bool_), _plain(scores, np.float64), status, out)
            if len(answer) == 3:
                notes = _notes(answer[2], n)
        else:
            array = _array(answer, answer)
            if array.dtype.kind not in "bf":
                raise _no_array(answer)
            if array.shape != (n,):
                raise AnswerError(f"gave the shape {array.shape}; wanted ({n},), one entry a symbol")
            if array.dtype.kind == "b":
                self._of_mask(_plain(array, np.bool_), status, out)
                return notes
            fault = self._of_floats(_plain(array, np.float64), status, out)
        if fault == INFINITE:
            raise AnswerError("gave an infinite score")
        if fault == MISSING:
            raise AnswerError("gave NaN as the score of a match")
        return notes

    def take_floats(self, scores: Floats, status: npt.NDArray[np.int64], out: Floats) -> None:
        """Scores that `score_of` gave, to `out`."""
        self._of_floats(scores, status, out)


def score_of(answer: Any) -> tuple[float, str]:
    """Score and note of an `evaluate_symbol`. Raises AnswerError."""
    note = ""
    if isinstance(answer, tuple) and len(answer) == 2:
        answer, note = answer
        if not isinstance(note, str):
            raise AnswerError(f"gave {_described(note)} as a note; wanted a text")
    if answer is None or answer is False or (isinstance(answer, np.bool_) and not answer):
        return math.nan, ""
    if answer is not True and not isinstance(answer, int | float | np.integer | np.floating | np.bool_):
        raise AnswerError(f"gave {_described(answer)}; wanted a bool, a number, None or (score, note)")
    try:
        score = float(answer)
    except OverflowError:  # a whole number beyond all floats
        score = math.inf
    if not math.isfinite(score):
        raise AnswerError(f"gave the score {score}")
    return score, _sendable(note)


def _notes(given: Any, n: int) -> Notes:
    if not isinstance(given, Mapping):
        raise AnswerError(f"gave {_described(given)} as notes; wanted a dict of place and text")
    for place, note in given.items():
        if not isinstance(place, int | np.integer) or not 0 <= place < n or not isinstance(note, str):
            raise AnswerError(f"gave the note {place!r}: {note!r}; wanted a place below {n} and a text")
    return {int(place): _sendable(note) for place, note in given.items() if note}


def _sendable(note: str) -> str:
    """Cut, and without the halves of characters, which no message can hold."""
    return note[:NOTE_LIMIT].encode(errors="replace").decode()


def _array(part: Any, answer: Any) -> npt.NDArray[Any]:
    """`part` of `answer` as an array."""
    try:
        return np.asarray(part)
    except Exception as error:  # rows of unequal length, or whatever the plugin's own conversion raises
        raise _no_array(answer) from error


def _no_array(answer: Any) -> AnswerError:
    return AnswerError(
        f"gave {_described(answer)}; wanted a bool or float array, (mask, scores) or (mask, scores, notes)"
    )


def _plain(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The array as the kernels are compiled for: contiguous, of this type, writable."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array
    return np.array(array, dtype)


def _described(answer: Any) -> str:
    if isinstance(answer, np.ndarray):
        return f"an array of {answer.dtype}"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
