"""Load: which tick of which symbol is created when. Every process of a run computes it from the same plan."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.updates import ticks
from tickflag.services.feed.sources.synthetic import zipf_shares

PRICE = 100.0
PROBE_FACTOR = 1.01
THRESHOLD = 1.003  # of price over mean: only the probes' prices exceed it
WINDOW = 20


@dataclass(frozen=True)
class Load:
    """`rate` ticks a second for `seconds`, evenly spaced. Activity follows Zipf's law with `exponent`; 0 makes all
    symbols the same.

    Ticks of a few symbols, the probes, match the rule and become signals: about `probes` a second.
    """

    symbols: int
    rate: int
    seconds: float
    probes: int = 100
    exponent: float = 1.1
    seed: int = 11

    @property
    def count(self) -> int:
        return int(self.rate * self.seconds)

    @cached_property
    def slots(self) -> npt.NDArray[np.int32]:
        """Symbol of each tick."""
        cumulative = np.cumsum(self._shares)
        drawn = self._rng(1).random(self.count) * cumulative[-1]
        return np.asarray(np.searchsorted(cumulative, drawn).astype(np.int32))

    @cached_property
    def is_probe(self) -> npt.NDArray[np.bool_]:
        """By symbol: whether it is a probe. Probes are chosen at random, as many as tick `probes` times a second; at
        least one."""
        chosen = np.zeros(self.symbols, np.bool_)
        left = float(self.probes)
        for slot in self._rng(2).permutation(self.symbols):
            expected = self._shares[slot] * self.rate
            if expected <= left:
                chosen[slot] = True
                left -= expected
        if not chosen.any():
            chosen[np.argmin(self._shares)] = True
        return chosen

    @cached_property
    def prices(self) -> npt.NDArray[np.float64]:
        noise = self._rng(3).uniform(-0.001, 0.001, self.count)
        return np.asarray(PRICE * (1.0 + noise) * np.where(self.is_probe[self.slots], PROBE_FACTOR, 1.0))

    @cached_property
    def names(self) -> list[str]:
        return [f"S{number:06d}" for number in range(self.symbols)]

    def created_ns(self, start_ns: int) -> npt.NDArray[np.int64]:
        """Monotonic time of each tick's creation."""
        return start_ns + (np.arange(self.count) * (NS_PER_S / self.rate)).astype(np.int64)

    def due(self, start_ns: int, now_ns: int) -> int:
        """How many ticks were created until then."""
        return max(0, min(self.count, int((now_ns - start_ns) * self.rate / NS_PER_S) + 1))

    def rows(self) -> npt.NDArray[np.void]:
        """The ticks as a source hands them over; `bid_size` holds the sequence number, from 1."""
        rows = ticks(self.count)
        rows["slot"], rows["price"], rows["qty"] = self.slots, self.prices, 1.0
        rows["bid"], rows["ask"] = self.prices * 0.9995, self.prices * 1.0005
        rows["bid_size"], rows["ask_size"] = np.arange(1, self.count + 1), 10.0
        return rows

    def last_seq(self) -> npt.NDArray[np.int64]:
        """By symbol: the number of its last tick, 0 for none."""
        last = np.zeros(self.symbols, np.int64)
        np.maximum.at(last, self.slots, np.arange(1, self.count + 1))
        return last

    def final_matches(self) -> dict[str, float]:
        """The rule's result for the final rows: the probes that ticked, with the number of their last tick."""
        return {self.names[slot]: float(seq) for slot, seq in enumerate(self.last_seq()) if seq and self.is_probe[slot]}

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Load":
        return cls(**json.loads(path.read_text()))

    @cached_property
    def _shares(self) -> npt.NDArray[np.float64]:
        return self._rng(0).permutation(zipf_shares(self.symbols, self.exponent))

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, part])
