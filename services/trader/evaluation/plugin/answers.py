"""Answers: checks what a trader's hooks gave, and turns it into scores and notes. NaN is the score of no match."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflag.common.arrays import Floats, Integers
from tickflag.common.jit import direct
from tickflag.common.wire.messages import NOTE_LIMIT
from tickflag.services.trader.evaluation.match_kernels import (
    INFINITE,
    MISSING,
    scores_of_floats,
    scores_of_mask,
    scores_of_pair,
)
from tickflag.services.trader.evaluation.plugin.entries import (
    WANTED,
    AnswerError,
    LabelledEntries,
    Symbols,
    described,
    in_order,
    read,
)

Notes = dict[int, str]


class Answers:
    """The kernels of the answers, compiled for rows whose status is a column like `status`."""

    def __init__(self, status: Integers) -> None:
        mask, floats = np.zeros(0, np.bool_), np.zeros(0)
        self._of_mask = direct(scores_of_mask, mask, status, floats)
        self._of_floats = direct(scores_of_floats, floats, status, floats)
        self._of_pair = direct(scores_of_pair, mask, floats, status, floats)

    def score(self, answer: Any, status: Integers, out: Floats, symbols: Symbols) -> Notes:
        """Write the scores in an answer of `evaluate` to `out`; gives the notes by position. `symbols` gives the names.

        Raises AnswerError; `out` is then undefined.
        """
        n = len(out)
        notes: Notes = {}
        if isinstance(answer, tuple) and len(answer) in (2, 3):
            mask, scores = answer[0], answer[1]
            if type(mask) is not np.ndarray:
                mask = _array(mask, "b", n, symbols, "a pair with ")
            if type(scores) is not np.ndarray:
                scores = _array(scores, "fiu", n, symbols, "a pair with ")
            if mask.dtype.kind != "b" or scores.dtype.kind not in "fiu":
                raise AnswerError(f"gave a pair of {mask.dtype} and {scores.dtype}; wanted (bool, float)")
            if mask.shape != (n,) or scores.shape != (n,):
                raise AnswerError(f"gave shapes {mask.shape} and {scores.shape}; wanted ({n},) twice")
            fault = self._of_pair(_plain(mask, np.bool_), _plain(scores, np.float64), status, out)
            if len(answer) == 3:
                notes = _notes(answer, n, symbols)
        else:
            array = answer if type(answer) is np.ndarray else _array(answer, "fb", n, symbols)
            kind = array.dtype.kind
            if kind not in "bf":
                raise _no_array(answer)
            if array.shape != (n,):
                raise AnswerError(f"gave the shape {array.shape}; wanted ({n},), one entry a symbol")
            if kind == "b":
                self._of_mask(_plain(array, np.bool_), status, out)
                return notes
            fault = self._of_floats(_plain(array, np.float64), status, out)
        if fault == INFINITE:
            raise AnswerError("gave an infinite score")
        if fault == MISSING:
            raise AnswerError("gave NaN as the score of a match")
        return notes

    def score_floats(self, scores: Floats, status: Integers, out: Floats) -> None:
        """Write scores that `score_of` gave to `out`, NaN for symbols that are not trading."""
        self._of_floats(scores, status, out)


def score_of(answer: Any) -> tuple[float, str]:
    """Score and note in an answer of `evaluate_symbol`. Raises AnswerError."""
    note = ""
    if isinstance(answer, tuple) and len(answer) == 2:
        answer, note = answer
        if not isinstance(note, str):
            raise AnswerError(f"gave {described(note)} as a note; wanted a text")
    if answer is None or answer is False or (isinstance(answer, np.bool_) and not answer):
        return math.nan, ""
    if answer is not True and not isinstance(answer, int | float | np.integer | np.floating | np.bool_):
        raise AnswerError(f"gave {described(answer)}; wanted a bool, a number, None or (score, note)")
    try:
        score = float(answer)
    except OverflowError:  # a whole number beyond all floats
        score = math.inf
    if not math.isfinite(score):
        raise AnswerError(f"gave the score {score}")
    return score, _sendable(note)


def _notes(answer: tuple[Any, ...], n: int, symbols: Symbols) -> Notes:
    given = answer[2]
    if not isinstance(given, Mapping):
        raise AnswerError(f"gave {described(given)} as notes; wanted a dict of symbol or place and text")
    if any(isinstance(place, str) for place in given):
        places = {name: place for place, name in enumerate(symbols())}
        given = {places.get(place, place) if isinstance(place, str) else place: note for place, note in given.items()}
    elif given and not all(in_order(part, n, symbols) for part in answer[:2]):
        # A place would be one among the answer's rows or among the market's: nobody can tell.
        raise AnswerError("gave notes by place beside a frame in an order of its own; wanted a dict of symbol and text")
    for place, note in given.items():
        if not isinstance(place, int | np.integer) or not 0 <= place < n or not isinstance(note, str):
            raise AnswerError(f"gave the note {place!r}: {note!r}; wanted a symbol or a place below {n}, and a text")
    return {int(place): _sendable(note) for place, note in given.items() if note}


def _sendable(note: str) -> str:
    """The note cut to its limit, with lone surrogates replaced: no message can hold them."""
    return note[:NOTE_LIMIT].encode(errors="replace").decode()


def _array(part: Any, kinds: str, n: int, symbols: Symbols, pair: str = "") -> npt.NDArray[Any]:
    """The answer, or a part of it where it is a `pair`, in the order of the symbols. What is labelled has a kind of
    `kinds`."""
    try:
        entries = read(part, n, kinds[0])
        if not isinstance(entries, LabelledEntries):
            return entries
        if entries.kind in kinds:
            return entries.placed(symbols())
    except AnswerError:
        raise
    except Exception as error:  # whatever the conversion of the plugin's own object raises
        raise _no_array(part, pair) from error
    raise _no_array(part, pair)


def _no_array(given: Any, pair: str = "") -> AnswerError:
    return AnswerError(f"gave {pair}{described(given)}; {WANTED}")


def _plain(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The array in the form that the kernels are compiled for: contiguous, of this type, writable."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array
    return np.array(array, dtype)
