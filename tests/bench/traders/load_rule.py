"""The rule of the runs under load: price over the mean of the last 20 closes. The score is the tick's number.

The file is copied under the names trader-0, trader-1 and so on. An environment variable names the folder of the run.
Where that holds a ledger, each evaluation is recorded: its time, and the numbers of the ticks that it saw.
"""

import os
import time
from pathlib import Path

import numpy as np

from tickflag import Market, Trader, hookimpl, sma

NUMBER = int(Path(__file__).stem[-1])
READY, ROWS, LOOKS = 8, 16, 24  # words of the board, as in board.py
HEAD = 8  # words before the entries of a ledger; the first is the number of entries

_folder = Path(os.environ["BENCH_FOLDER"])
# For single words a view of memory is faster than an array.
_board = np.memmap(_folder / "board", np.int64, "r+").data
_path = _folder / f"ledger-{NUMBER}"
_ledger = np.asarray(np.memmap(_path, np.int64, "r+")) if _path.exists() else None
_room = 0 if _ledger is None else (len(_ledger) - HEAD) // 2


@hookimpl
def trader() -> Trader:
    return Trader(name=f"trader-{NUMBER}", candles="1m", look_back=20, columns=("close",))


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    seqs = market.bid_size
    matches = market.last > 1.003 * sma(market.candles.close, 20)
    if _ledger is not None:
        at = int(_ledger[0])
        end = at + len(seqs)
        if end <= _room:
            _ledger[HEAD + _room + at : HEAD + _room + end] = seqs
            _ledger[HEAD + at : HEAD + end] = time.monotonic_ns()
            _ledger[0] = end
    _board[READY + NUMBER] = 1
    _board[ROWS + NUMBER] += len(seqs)
    _board[LOOKS + NUMBER] += 1
    return matches, seqs
