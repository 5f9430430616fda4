"""What a replay shows: signals as they come, then tables, or the same as lines of JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import click

from common.messages import Signal
from services.cli.group import EXIT_FAILED
from services.cli.output import duration, finite, one_line, share, show_table

if TYPE_CHECKING:
    from services.replay.against import Comparison
    from services.replay.seats import Failure
    from services.replay.sweep import Combination

FIELDS = ("seq", "trader", "symbol", "event", "score", "time_ms", "cycle")


def plain_signal(signal: Signal) -> dict[str, Any]:
    """The fields of a line; a note only where there is one."""
    found = {name: getattr(signal, name) for name in FIELDS}
    return found | {"note": signal.note} if signal.note else found


def write_json(signal: Signal, out: TextIO) -> None:
    out.write(json.dumps(plain_signal(signal)) + "\n")


def write_text(signal: Signal, out: TextIO) -> None:
    from services.replay.period import utc

    moment = utc(signal.time_ms * 1_000_000)[:-4]  # to the second
    note = f"  {one_line(signal.note)}" if signal.note else ""
    click.echo(f"{moment}  {signal.trader:<16} {signal.event:<8} {signal.symbol:<28} {signal.score:.6g}{note}", out)


def show_summary(summary: Mapping[str, Any], failures: "Mapping[str, Failure]", as_json: bool) -> None:
    """What a replay came to; exit code 1 where a trader failed or did not run."""
    if as_json:
        show_json_result("summary", summary)
    else:
        _show_tables(summary)
        _show_failures((f"trader {name!r}", failure) for name, failure in failures.items())
        _show_refused(summary["refused"])
    if failures or summary["refused"]:
        click.get_current_context().exit(EXIT_FAILED)


def _show_tables(summary: Mapping[str, Any]) -> None:
    """Each trader's matches, what its signals were worth, and what it all cost."""
    if any(digest["entered"] for digest in summary["traders"].values()):  # signals stand above
        click.echo("")
    for trader, matches in summary["matches"].items():
        shown = ", ".join(f"{symbol} {score:.4g}" for symbol, score in list(matches.items())[:8])
        click.echo(f"{trader:<16} {len(matches):>5} matches  {shown}{' ...' if len(matches) > 8 else ''}")
    if summary["matches"]:
        click.echo("")
    show_studies(("trader",), [((trader,), digest) for trader, digest in summary["traders"].items()])
    click.echo("")
    click.echo(
        f"{summary['ticks']:,} updates of {summary['symbols']:,} symbols in {summary['cycles']:,} cycles; "
        f"{summary['processed']:,} evaluations, {summary['efficiency']:.1%} not needed; results "
        f"{summary['bytes_sent']:,} bytes, full ones would be {summary['bytes_full']:,}"
    )


def show_studies(keys: tuple[str, ...], studies: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> None:
    """Two tables: the signals, and the returns at each horizon. `keys` name the columns that tell the studies apart."""
    signals, returns = [], []
    for key, digest in studies:
        held = digest["held_ms"]
        signals.append(
            (
                *key, digest["entered"], digest["left"], digest["score"], digest["matching"],
                share(digest["time_in_set"] or 0.0, 1.0), _duration(held["mean"]), _duration(held["median"]),
            )
        )  # fmt: skip
        returns += [
            (
                *key, horizon, found["count"], *(_percent(found[name]) for name in ("mean", "median", "baseline")),
                _rate(found["hit_rate"]), found["beyond"],
            )
            for horizon, found in digest["returns"].items()
        ]  # fmt: skip
    show_table((*keys, ">entered", ">left", ">score", ">matching", ">time in set", ">held mean", ">median"), signals)
    click.echo("")
    show_table((*keys, "after", ">entries", ">mean", ">median", ">baseline", ">hit rate", ">beyond"), returns)


def show_comparison(comparison: "Comparison", refused: Mapping[str, str], as_json: bool) -> None:
    """That both sides were the same; or which traders failed or did not run, the first difference if any, and exit
    code 1."""
    from services.replay.period import utc

    found, failures = comparison.difference, comparison.failures
    if not as_json:
        _show_failures((f"trader {name!r}", failure) for name, failure in failures.items())
        _show_refused(refused)
    if as_json:
        counts = {"signals": comparison.signals, "cycles": comparison.cycles}
        difference = None if found is None else asdict(found)
        failed = {name: failure.cycles for name, failure in failures.items()}
        faults = {"failed": failed, "refused": refused}
        identical = found is None and not any(faults.values())
        show_json_result("against", {"identical": identical, **counts, "difference": difference, **faults})
    elif found is None:
        verdict = "identical"
        if failures or refused:
            verdict = f"no difference, but a trader {'failed' if failures else 'did not run'}"
        click.echo(f"{verdict}: {comparison.signals:,} signals, {comparison.cycles:,} cycles")
    else:
        nothing = "no match" if found.what == "match" else "nothing"
        flagged, full = (nothing if value is None else value for value in (found.flagged, found.full))
        click.echo(
            f"different: trader {found.trader!r}, symbol {found.symbol!r}, cycle {found.cycle:,}, "
            f"{utc(found.time_ms * 1_000_000)}: {found.what} {flagged} with tracking, {full} without"
        )
    if found is not None or failures or refused:
        click.get_current_context().exit(EXIT_FAILED)


def show_sweep(
    digests: "Iterable[tuple[Combination, Mapping[str, Any]]]",
    failures: "Sequence[tuple[Combination, Failure]]",
    refused: int,
    as_json: bool,
) -> None:
    """A row for each combination, in a table for each trader; exit code 1 where one failed, or `refused` to run."""
    failed = {str(combination): failure.cycles for combination, failure in failures}
    grids: dict[str, list[tuple[Combination, Mapping[str, Any]]]] = {}
    for combination, digest in digests:
        if as_json:
            own = {"trader": combination.trader, "settings": combination.settings}
            show_json_result("combination", {**own, **digest, "failed": failed.get(str(combination), 0)})
        else:
            grids.setdefault(combination.trader, []).append((combination, digest))
    for trader, rows in grids.items():
        first, digest = rows[0]
        columns = [*first.settings, ">entered", ">left", ">time in set", ">held mean"]
        columns += [f">{horizon} {what}" for horizon in digest["returns"] for what in ("mean", "baseline", "hit rate")]
        click.echo(trader)
        show_table(columns, [_sweep_row(combination, digest) for combination, digest in rows])
        click.echo("")
    if not as_json:
        _show_failures((str(combination), failure) for combination, failure in failures)
    if failures or refused:
        click.get_current_context().exit(EXIT_FAILED)


def _sweep_row(combination: "Combination", digest: Mapping[str, Any]) -> list[Any]:
    row = [*combination.settings.values(), digest["entered"], digest["left"]]
    row += [share(digest["time_in_set"] or 0.0, 1.0), _duration(digest["held_ms"]["mean"])]
    for found in digest["returns"].values():
        row += [_percent(found["mean"]), _percent(found["baseline"]), _rate(found["hit_rate"])]
    return row


def _show_failures(failures: "Iterable[tuple[str, Failure]]") -> None:
    """A line each."""
    for name, failure in failures:
        cycles = f"{failure.cycles:,} cycle{'' if failure.cycles == 1 else 's'}"
        fault = one_line(failure.first.removeprefix(f"{name}: "))
        click.echo(f"{name} failed in {cycles}, first: {fault}")


def _show_refused(refused: Mapping[str, str]) -> None:
    """One line. The reasons stand on standard error, before anything was played."""
    if refused:
        click.echo(f"did not run: {', '.join(refused)}")


def show_json_result(key: str, content: Any) -> None:
    """One line `{key: content}`; what JSON cannot say is null."""
    click.echo(json.dumps({key: finite(content)}))


def _duration(ms: float | None) -> str:
    return "-" if ms is None else duration(ms)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:+.3f} %"


def _rate(value: float | None) -> str:
    return "-" if value is None else share(value, 1.0)
