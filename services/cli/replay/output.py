"""Shows a replay: signals as they come, then tables; or the same as lines of JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import click

from tickflag.common.errors import EXIT_FAILED
from tickflag.common.streams import visible
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Signal
from tickflag.services.cli.left_out import left_out_line
from tickflag.services.cli.output import counted, duration, finite, one_line, share, show_table

if TYPE_CHECKING:
    from tickflag.services.replay.hindrances import Hindrance
    from tickflag.services.replay.lockstep import TraderFailure
    from tickflag.services.replay.sweep import Combination
    from tickflag.services.replay.tracking_diff import TrackingComparison

SHOWN = 5  # symbols in a line
FIELDS = ("seq", "trader", "symbol", "event", "score", "time_ms", "cycle")


def plain_signal(signal: Signal) -> dict[str, Any]:
    """The fields of a line; a note only where there is one."""
    found = {name: getattr(signal, name) for name in FIELDS}
    return found | {"note": signal.note} if signal.note else found


def write_json(signal: Signal, out: TextIO) -> None:
    out.write(json.dumps(plain_signal(signal)) + "\n")


def write_text(signal: Signal, out: TextIO) -> None:
    from tickflag.services.replay.period import utc

    moment = utc(signal.time_ms * NS_PER_MS)
    note = f"  {one_line(signal.note)}" if signal.note else ""
    click.echo(
        f"{moment}  {signal.trader:<16} {signal.event:<8} {visible(signal.symbol):<28} {signal.score:.6g}{note}", out
    )


def show_summary(summary: Mapping[str, Any], failures: "Mapping[str, TraderFailure]", as_json: bool) -> None:
    """Show the summary of a replay; exit code 1 where a trader failed or did not run."""
    if as_json:
        show_json_result("summary", summary)
    else:
        _show_tables(summary)
        _show_failures((f"trader {name!r}", failure) for name, failure in failures.items())
        ran = summary["evaluations"]
        _show_reasons({name: why for name, why in summary["refused"].items() if name not in ran}, _fruitless(summary))
        show_left_out(summary["left_out"])
    if failures or summary["refused"]:
        click.get_current_context().exit(EXIT_FAILED)


def _fruitless(summary: Mapping[str, Any]) -> dict[str, str]:
    """Each trader that ran, did not fail and found nothing -> what kept it, or else how often it was evaluated."""
    kept = {**summary["refused"], **summary["hindered"]}
    return {
        name: kept.get(name, f"evaluated {count:,} time{'' if count == 1 else 's'}, matched nothing")
        for name, count in summary["evaluations"].items()
        if name in kept or not (name in summary["failed"] or summary["traders"][name]["entered"])
    }


def _show_tables(summary: Mapping[str, Any]) -> None:
    """Show each trader's matches, what its signals were worth, and the cost of the replay."""
    if any(digest["entered"] for digest in summary["traders"].values()):  # the signals were shown above
        click.echo("")
    for trader, matches in summary["matches"].items():
        shown = ", ".join(f"{visible(symbol)} {score:.4g}" for symbol, score in list(matches.items())[:8])
        click.echo(f"{trader:<16} {len(matches):>5} matches  {shown}{' ...' if len(matches) > 8 else ''}")
    if summary["matches"]:
        click.echo("")
    show_studies(("trader",), [((trader,), digest) for trader, digest in summary["traders"].items()])
    click.echo("")
    click.echo(
        f"{counted(summary['ticks'], 'update')} of {counted(summary['symbols'], 'symbol')} in "
        f"{counted(summary['cycles'], 'cycle')}; "
        f"{summary['processed']:,} evaluations, {summary['efficiency']:.1%} not needed; results "
        f"{summary['bytes_sent']:,} bytes, full ones would be {summary['bytes_full']:,}"
    )


def show_studies(keys: tuple[str, ...], studies: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> None:
    """Show two tables: the signals, and the returns at each horizon. `keys` name the columns that identify a study."""
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


def show_comparison(
    comparison: "TrackingComparison",
    refused: Mapping[str, str],
    hindrances: "Mapping[str, Hindrance]",
    as_json: bool,
) -> None:
    """Show that both sides were the same; or, with exit code 1, which traders failed or did not run, and the first
    difference."""
    from tickflag.services.replay.period import utc

    found, failures = comparison.difference, comparison.failures
    if not as_json:
        _show_failures((f"trader {name!r}", failure) for name, failure in failures.items())
        _show_reasons(refused, {name: one.why for name, one in hindrances.items()})
    refused = {**refused, **{name: one.why for name, one in hindrances.items() if one.unfit}}
    if as_json:
        counts = {"signals": comparison.signals, "cycles": comparison.cycles}
        difference = None if found is None else asdict(found)
        failed = {name: failure.cycles for name, failure in failures.items()}
        faults = {"failed": failed, "refused": refused}
        identical = found is None and not any(faults.values())
        hindered = {name: one.why for name, one in hindrances.items() if not one.unfit}
        content = {"identical": identical, **counts, "difference": difference, **faults, "hindered": hindered}
        show_json_result("against", content)
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
            f"{utc(found.time_ms * NS_PER_MS)}: {found.what} {flagged} with tracking, {full} without"
        )
    if found is not None or failures or refused:
        click.get_current_context().exit(EXIT_FAILED)


def show_sweep(
    digests: "Iterable[tuple[Combination, Mapping[str, Any]]]",
    failures: "Sequence[tuple[Combination, TraderFailure]]",
    hindrances: "Sequence[tuple[Combination, Hindrance]]",
    refused: int,
    as_json: bool,
) -> None:
    """Show a row for each combination, in a table for each trader; exit code 1 where one failed or did not run.

    `refused` is how many did not run; `hindrances` are of those that could find nothing.
    """
    failed = {str(combination): failure.cycles for combination, failure in failures}
    hindered = {str(combination): hindrance.why for combination, hindrance in hindrances}
    grids: dict[str, list[tuple[Combination, Mapping[str, Any]]]] = {}
    for combination, digest in digests:
        if as_json:
            own = {"trader": combination.trader, "settings": combination.settings}
            faults = {"failed": failed.get(str(combination), 0), "hindered": hindered.get(str(combination))}
            show_json_result("combination", {**own, **digest, **faults})
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
        _show_reasons({}, hindered)
    if failures or refused or any(hindrance.unfit for _, hindrance in hindrances):
        click.get_current_context().exit(EXIT_FAILED)


def _sweep_row(combination: "Combination", digest: Mapping[str, Any]) -> list[Any]:
    row = [*combination.settings.values(), digest["entered"], digest["left"]]
    row += [share(digest["time_in_set"] or 0.0, 1.0), _duration(digest["held_ms"]["mean"])]
    for found in digest["returns"].values():
        row += [_percent(found["mean"]), _percent(found["baseline"]), _rate(found["hit_rate"])]
    return row


def _show_failures(failures: "Iterable[tuple[str, TraderFailure]]") -> None:
    """Show a line for each failure."""
    for name, failure in failures:
        cycles = f"{failure.cycles:,} cycle{'' if failure.cycles == 1 else 's'}"
        fault = one_line(failure.first.removeprefix(f"{name}: "))
        click.echo(f"{name} failed in {cycles}, first: {fault}")


def _show_reasons(refused: Mapping[str, str], fruitless: Mapping[str, str]) -> None:
    """Show a line for each trader that did not run, and for each that ran and found nothing, with the reason."""
    for name, reason in refused.items():
        click.echo(f"{name}: did not run: {one_line(reason.removeprefix(f'{name}: '))}")
    for name, reason in fruitless.items():
        click.echo(f"{name}: {one_line(reason)}")


def show_left_out(kinds: Mapping[str, Mapping[str, int]]) -> None:
    """Show a line for each kind of updates that were left out, with the symbols that have most."""
    for kind, symbols in kinds.items():
        count = sum(symbols.values())
        if count:
            click.echo(left_out_line(kind, count, symbols))


def show_json_result(key: str, content: Any) -> None:
    """Show one line `{key: content}`; what JSON cannot say becomes null."""
    click.echo(json.dumps({key: finite(content)}))


def _duration(ms: float | None) -> str:
    return "-" if ms is None else duration(ms)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:+.3f} %"


def _rate(value: float | None) -> str:
    return "-" if value is None else share(value, 1.0)
