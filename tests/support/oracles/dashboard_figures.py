"""The figures of the dashboard's page out of the counters they stand for: by place on the page, from segment and
services, without the dashboard's hub. A pair is a range, a list is a choice, None what is not known.

At a frozen cycle nothing happens any more: rates are 0, and what is measured for each cycle is not known.
"""

import os
import time
from typing import Any
from unittest.mock import patch

from tests.support.harnesses.engine import Engine
from tickflag.common.diagnosis.resolved_settings import resolved_settings
from tickflag.common.diagnosis.segment_facts import channel_facts, header_facts
from tickflag.common.segment.layout import CANDLE_FIELDS, CYCLE_RING, DEBUG_HEAD, DEBUG_RING, SYMBOL_COUNT

NO_LESS = (0.0, float("inf"))
_NOW = ("ticks_per_s", "processed_per_s")
_UNKNOWN = ("flagged_per_cycle", "swap_interval_ms", "swap_time_us", "efficiency", "latency_ms")
_TICKER_TIMES = {"event": "age_ms", "recv": "received_age_ms", "last": "last_age_ms"}
_MINUTE_MS = 60_000
RECENT_MOVES = 20


class Reading:
    """All counters of an engine that stands still. `standing` is equal in two readings between which nothing moved."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.status = engine.request("collector", "status")
        self.traders = {one["name"]: one for one in self.status["traders"]}
        self.supervised = {one["name"]: one for one in engine.request("trader", "traders")}
        self.flags = {one["flag"]: one for one in engine.request("collector", "flags.list")["flags"]}
        self.revision = engine.request("collector", "flags.list")["revision"]
        self.notices = engine.request("collector", "notices")["notices"]
        self.matches = {name: engine.matches(name) for name in self.traders}
        with engine.segment() as segment:
            arrays = segment.arrays
            self.counters, self.header, self.channels = (
                segment.counters(),
                header_facts(segment),
                channel_facts(segment),
            )
            names = segment.names[: int(arrays.living[SYMBOL_COUNT])]
            self.slots = {name.decode(): slot for slot, name in enumerate(names)}
            self.tickers, self.versions = arrays.tickers.copy(), arrays.versions.copy()
            self.stamped = [
                bool(arrays.cycles[at, one["closed"] % CYCLE_RING][0] == one["closed"])
                for at, one in enumerate(self.channels)
            ]
        still = [{**one, "age_ms": 0, "cpu_ns": 0} for one in self.traders.values()]
        self.standing = still, self.status["collector"]["last_seq"], self.channels
        last_seq = self.status["collector"]["last_seq"]
        self.signals: list[dict[str, Any]] = []
        for count in (12_000, 100_000, last_seq):
            if len(self.moves) < RECENT_MOVES or self.signals[0]["time_ms"] > time.time() * 1_000 - 2 * _MINUTE_MS:
                self.signals = engine.signals(max(0, last_seq - count))

    @property
    def moves(self) -> list[dict[str, Any]]:
        """Entries and exits."""
        return [one for one in self.signals if one["event"] != "score"]


def ring_length(engine: Engine) -> int:
    """How many updates the debug ring holds."""
    with engine.segment() as segment:
        return min(int(segment.arrays.living[DEBUG_HEAD]), len(segment.arrays.debug))


class PageCounters:
    """What each figure of a view has to be. `name` is the symbol, trader or feature flag of the view."""

    def __init__(self, reading: Reading, name: str = "") -> None:
        self._reading = reading
        self._known = {**self._overview(), **self._traders(), **self._journal(), **self._flags(), **self._debug()}
        if name in reading.slots:
            self._known |= self._symbol(name)
        if name in reading.traders:
            self._known |= self._trader(name)
        if name in reading.flags:
            self._known |= self._flag(name)

    def of(self, figure: str) -> Any:
        """Raises KeyError where nothing is known of the figure."""
        if figure not in self._known and figure.startswith("matches."):
            trader, _, rest = figure.removeprefix("matches.").partition(".")
            symbol, _, column = rest.rpartition(".")
            return self._match(trader, symbol, column)
        return self._known[figure]

    def _overview(self) -> dict[str, Any]:
        reading, traders = self._reading, self._reading.traders.values()
        sums = {key: sum(one[key] for one in traders) for key in ("processed", "skipped", "bytes_sent", "bytes_full")}
        saving = reading.status["saving"]
        known: dict[str, Any] = {f"feed.{name}": value for name, value in reading.counters.items()}
        known |= {
            "feed.symbols": len(reading.slots),
            "feed.capacity": reading.header["capacity"],
            "feed.age_ms": NO_LESS,
        }
        known |= {f"feed.{name}": None for name in _UNKNOWN} | {"feed.ticks_per_s": 0.0}
        known |= {f"engine.{name}": sums[name] for name in ("processed", "skipped", "bytes_full")}
        known["engine.efficiency"] = sums["skipped"] / (sums["processed"] + sums["skipped"])
        known["engine.bytes_saved"] = max(0, sums["bytes_full"] - sums["bytes_sent"])
        known |= {"engine.processed_per_s": 0.0, "engine.batch_mode": ""}
        known |= {f"engine.latency_ms.{name}": NO_LESS for name in ("p50", "p99")}
        known["engine.cpu_saving.value"] = saving["saving"]
        known |= {f"engine.cpu_saving.{name}": saving[name] for name in ("low", "high")}
        for at, channel in enumerate(reading.channels):
            readers = [one for one in traders if one["channel"] == channel["channel"]]
            known |= {
                f"buffers.{at}.writing": channel["open"] % 2,
                f"buffers.{at}.cycle": channel["closed"],
                f"buffers.{at}.stamp_age_ms": NO_LESS if channel["closed"] and reading.stamped[at] else None,
                f"buffers.{at}.lapped": sum(one["lapped"] for one in readers),
                f"buffers.{at}.catch_ups": sum(one["cycles"] - one["fast"] for one in readers),
                f"buffers.{at}.retries": sum(one["retried"] for one in readers),
            }
        known |= {"matches": sum(map(len, reading.matches.values())), "count": len(reading.traders)}
        for name, matches in reading.matches.items():
            known[f"traders.{name}.matches"] = len(matches)
            known |= {f"traders.{name}.{event}": self._last_minute(name, event) for event in ("entered", "left")}
        known |= {f"recent.{one['seq']}": one["score"] for one in reading.moves[-RECENT_MOVES:]}
        history = dict.fromkeys(_NOW, 0.0) | dict.fromkeys(_UNKNOWN)
        history["cpu_saving"] = None if saving["saving"] is None else float(f"{saving['saving']:.6g}")
        return {f"overview.{name}": value for name, value in known.items()} | {
            f"history.{name}": value for name, value in history.items()
        }

    def _last_minute(self, trader: str, event: str) -> Any:
        """The page is at most seconds older than now."""
        times = [one["time_ms"] for one in self._reading.signals if (one["trader"], one["event"]) == (trader, event)]
        now_ms = time.time() * 1_000
        return tuple(float(sum(at_ms > now_ms - _MINUTE_MS + more for at_ms in times)) for more in (500, -3_000))

    def _traders(self) -> dict[str, Any]:
        lines = {name: self._line(name) for name in self._reading.traders}
        return {f"traders.{name}.{key}": value for name, line in lines.items() for key, value in line.items()}

    def _line(self, name: str) -> dict[str, Any]:
        one = self._reading.traders[name]
        processed, skipped = one["processed"], one["skipped"]
        per_symbol = one["cpu_ns"] / processed if processed else None
        return {
            **{key: one[key] for key in ("processed", "skipped", "failures", "restarts", "cycles", "pid", "source")},
            **{key: one[key] for key in ("bytes_sent", "bytes_full")},
            "matches": len(self._reading.matches[name]),
            "cycle_ms": one["cost_ns"] / 1e6 if one["cost_ns"] else None,
            # A worker without work takes some processor time, too.
            "ns_per_symbol": None if per_symbol is None else (per_symbol, 2 * per_symbol),
            "efficiency": skipped / (processed + skipped) if processed + skipped else None,
            "batch_mode": False,
            "trader_version": self._reading.supervised[name]["trader_version"],
        }

    def _trader(self, name: str) -> dict[str, Any]:
        known = {f"trader.{key}": value for key, value in self._line(name).items()}
        for circuit in self._reading.engine.request("collector", "circuits", trader=name):
            keys = ("errors", "clean_cycles", "opened", "fresh_starts")
            known |= {f"trader.circuits.{circuit['circuit']}.{key}": circuit[key] for key in keys}
        errors = self._reading.engine.request("collector", "errors", trader=name)["errors"]
        return known | {f"trader.errors.{at}.count": one["count"] for at, one in enumerate(errors)}

    def _journal(self) -> dict[str, Any]:
        reading = self._reading
        known = {"signals.last_seq": reading.status["collector"]["last_seq"]}
        for one in reading.signals:
            known |= {f"signals.{one['seq']}.{key}": one[key] for key in ("seq", "time_ms", "score")}
        known["notices.last_seq"] = reading.notices[-1]["seq"] if reading.notices else 0
        known["matches.matching"] = sum(map(len, reading.matches.values()))
        return known | {f"notices.{one['seq']}.seq": one["seq"] for one in reading.notices}

    def _flags(self) -> dict[str, Any]:
        known: dict[str, Any] = {"flags.revision": self._reading.revision}
        for name, flag in self._reading.flags.items():
            known[f"flags.{name}.on"] = sum(flag["traders"].values())
            known[f"flags.{name}.forced"] = len(flag["force"]) + len(flag["owners"]) or None
            known[f"flags.{name}.percentage"] = flag["percentage"]
        return known

    def _flag(self, name: str) -> dict[str, Any]:
        flag = self._reading.flags[name]
        known = {"flag.percentage": flag["percentage"], "flag.default": flag["default"]}
        for one in self._reading.engine.request("collector", "experiments")["experiments"]:
            if one["flag"] != name:
                continue
            for arm in one["arms"]:
                counts = {key: arm[key] for key in ("present", "cycles")}
                known |= {
                    f"flag.experiment.{arm['arm']}.{key}": value for key, value in {**arm["means"], **counts}.items()
                }
            for metric in one["comparisons"][0]["metrics"] if one["comparisons"] else ():
                known |= {f"flag.experiment.{metric['metric']}.{key}": metric[key] for key in ("ratio", "low", "high")}
        return known

    def _symbol(self, name: str) -> dict[str, Any]:
        reading, slot = self._reading, self._reading.slots[name]
        row = {key: reading.tickers[slot][key].item() for key in reading.tickers.dtype.names or ()}
        times = {key: row.pop(f"{key}_ns") for key in _TICKER_TIMES}
        known = {**row, "status": "trading", "version": int(reading.versions[slot])}
        known |= {f"{key}_ms": value / 1e6 if value else None for key, value in times.items()}
        known |= {_TICKER_TIMES[key]: NO_LESS if value else None for key, value in times.items()}
        known = {f"symbol.ticker.{key}": value for key, value in known.items()}
        for trader, matches in reading.matches.items():
            if name in matches:
                known[f"symbol.matches.{trader}.score"] = matches[name]
        of_symbol = self._found(200, symbol=name)
        known |= {f"symbol.signals.{one['seq']}": one["score"] for one in of_symbol}
        known |= {f"candles.{key}": value for key, value in self._newest_candle(slot).items() if key != "time"}
        return known

    def _found(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """The newest signals that fit. The collector looks through a part of its journal at a time."""
        found: list[dict[str, Any]] = []
        place: dict[str, int] = {}
        while len(found) < count:
            page = self._reading.engine.request(
                "collector", "signals.find", **place, **wanted, limit=count - len(found)
            )
            found += page["signals"]
            if page["whole"]:
                break
            place = {"before": page["reached"]}
        return found

    def _newest_candle(self, slot: int) -> dict[str, float]:
        """The symbol's candle of the shortest interval that forms, or else the last one that closed."""
        with self._reading.engine.segment() as segment:
            arrays = segment.arrays
            if arrays.opens[slot, 0]["first_ns"] > 0:
                return {key: arrays.opens[slot, 0][key].item() for key in CANDLE_FIELDS[1:]}
            last = (int(arrays.heads[0, slot]) - 1) % segment.layout.depth
            return dict(zip(CANDLE_FIELDS, arrays.rings[0, slot, :, last].tolist(), strict=True))

    def _match(self, trader: str, symbol: str, column: str) -> Any:
        reading = self._reading
        if column == "score":
            return reading.matches[trader][symbol]
        if column == "age_ms":
            return NO_LESS
        if column == "entered_ms":
            found = self._found(1, trader=trader, symbol=symbol, event="entered")
            return [None, *(one["time_ms"] for one in found)]  # not known where the entry is far back in the journal
        return reading.tickers[column][reading.slots[symbol]].item()

    def _debug(self) -> dict[str, Any]:
        known = {f"debug.header.{key}": value for key, value in self._reading.header.items()}
        known |= {"debug.header.heartbeat_age_ms": NO_LESS, "debug.header.intervals": "", "debug.ring": DEBUG_RING}
        for at, channel in enumerate(self._reading.channels):
            known |= {f"debug.channels.{at}.{key}": value for key, value in channel.items()}
        with patch.dict(os.environ, self._reading.engine.env):
            settings = {".".join(key): value for key, value, _ in resolved_settings()}
        settings["dashboard.port"] = NO_LESS  # where it is served is of its own process
        return known | {f"debug.settings.{key}": value for key, value in settings.items()}
