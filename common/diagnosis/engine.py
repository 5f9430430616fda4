"""What is wrong with the running engine: its processes, the feed's heartbeat, the collector, the traders.

Pure: from what the segment and the services tell to diagnoses. Nobody is asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tickflag.common.diagnosis.diagnosis import Diagnosis, Level
from tickflag.common.quantities import duration

TROUBLE: dict[str, Level] = {
    "failing": "fail", "restarting": "fail", "skipped": "warn", "stale": "warn", "stopped": "warn",
}  # fmt: skip
"""State of a trader that is not well -> how bad that is."""
TRACKING = "per_symbol_tracking"


def of_roles(holders: Mapping[str, int | None]) -> Iterator[Diagnosis]:
    """Which of the services run; `holders` has the process of each."""
    if not any(pid is not None for pid in holders.values()):
        yield Diagnosis("processes", "ok", "no engine is running")
        return
    for service, pid in holders.items():
        if pid is None:
            yield Diagnosis(
                "processes", "warn", f"no {service} is running", f"`python -P -m tickflag.services.{service}` starts it"
            )
        else:
            yield Diagnosis("processes", "ok", f"{service} is running (pid {pid})")


def of_feed(facts: Mapping[str, Any]) -> Iterator[Diagnosis]:
    """Whether the feed lives, and whether its segment has room for all symbols; `facts` are those of `feed_state`."""
    if facts["state"] == "stopped":
        return
    if facts["state"] == "starting":
        yield Diagnosis("heartbeat", "warn", "the feed has no segment yet", "the first start takes some seconds")
        return
    age = f"{duration(facts['heartbeat_age_ms'])} ago, {facts['symbols']:,} of {facts['capacity']:,} symbols"
    if facts["state"] == "stale":
        yield Diagnosis(
            "heartbeat",
            "fail",
            f"the feed is stale: last heartbeat {age}",
            f"pid {facts['pid']} is stuck: look at it, then restart it",
        )
    else:
        yield Diagnosis("heartbeat", "ok", age)
    if facts["refused_symbols"]:
        do = "raise `segment.capacity` or set `segment.growth`"
        yield Diagnosis("symbols", "warn", f"{facts['refused_symbols']:,} found no room in the segment", do)


def of_silence(service: str, pid: int | None, error: str) -> Diagnosis:
    """A service that runs and does not answer."""
    return Diagnosis(service, "fail", error, f"look at pid {pid}, then restart it")


def of_flag_file(trouble: str) -> Iterator[Diagnosis]:
    """What the collector says of the file of the feature flags; an empty text is no trouble."""
    if trouble:
        yield Diagnosis(
            "flags", "warn", trouble, "mend the file; the next change by `tickflag flags` writes a good one"
        )


def of_traders(traders: Iterable[Mapping[str, Any]]) -> Iterator[Diagnosis]:
    """The traders that are not well, and how many are; `traders` are the collector's lines."""
    count = well = 0
    for trader in traders:
        count += 1
        level = TROUBLE.get(trader["state"])
        do = f"`tickflag logs {trader['log'] or trader['name']}`"
        if level is not None:
            reason = trader["reason"] or trader["error"] or "no reason given"
            yield Diagnosis("traders", level, f"{trader['name']} is {trader['state']} ({reason})", do)
            continue
        well += 1
        if trader["reason"] and trader["state"] != "disabled":  # an operator wanted that
            yield Diagnosis("traders", "warn", f"{trader['name']}: {trader['reason']}", do)
    yield Diagnosis("traders", "ok", f"{well} of {count} are well")


def problems(
    holders: Mapping[str, int | None],
    feed: Mapping[str, Any],
    silence: Mapping[str, str],
    flag_trouble: str,
    traders: Iterable[Mapping[str, Any]],
) -> list[Diagnosis]:
    """All that is wrong, as the other functions here say it. `silence` has the error of each service that does not
    answer."""
    if not any(pid is not None for pid in holders.values()):
        return [Diagnosis("processes", "fail", "no engine is running", "`tickflag start` starts it")]
    found: list[Diagnosis] = [*of_roles(holders), *of_feed(feed)]
    for service, error in silence.items():
        if (pid := holders[service]) is not None:
            found.append(of_silence("supervisor" if service == "trader" else service, pid, error))
    found += [*of_flag_file(flag_trouble), *of_traders(traders)]
    return [one for one in found if one.level != "ok"]


def why(trader: Mapping[str, Any]) -> str:
    """What is wrong with the trader, in one line; empty for nothing.

    The line says why the trader fails; why the trader, or its new version, does not run; which limits it exceeds; which
    of its circuits are not closed; and where it runs again, or is silent again, why it failed within the last minute.
    """
    open_ones = [f"{kind} circuit {state}" for kind, state in trader["circuits"].items() if state != "closed"]
    found = [trader["error"] if trader["state"] == "failing" else "", trader.get("reason", ""), *open_ones]
    if trader["state"] in ("running", "stale") and trader["fault"]:
        found.append(f"failed a moment ago: {trader['fault']}")
    return "; ".join(filter(None, found)) or (trader["error"] if trader["state"] != "running" else "")


def batch_mode(flags: Mapping[str, Any] | None, control: Mapping[str, Any] | None) -> list[str]:
    """The traders that evaluate all symbols in every cycle: their tracking is off, or is not trusted. From the
    collector's answers to `flags.list` and `control`, where there are any."""
    listed = flags["flags"] if flags else []
    untracked = {
        trader for flag in listed if flag["flag"] == TRACKING for trader, on in flag["traders"].items() if on is False
    }
    return sorted(untracked | set((control or {}).get("process_all", [])))
