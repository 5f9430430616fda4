"""The three things a replay can be for: to see the signals, to compare with tracking off, to sweep settings."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from common.errors import PluginError, TickflagError
from common.settings import Settings
from services.cli import replay_output as output
from services.cli.progress import Progress

if TYPE_CHECKING:
    from services.feed.recordings import Recording
    from services.replay.period import Period
    from services.replay.study import Horizon
    from services.replay.sweep import Combination
    from services.replay.traders import Cast
    from services.trader.plugin import Plugin


def complain(text: str) -> None:
    click.echo(text, err=True)


@dataclass(frozen=True, slots=True)
class Job:
    """What all of them take. Standard output is `out`; what traders print must not go there."""

    settings: Settings
    flags: Mapping[str, bool]
    recordings: "Sequence[Recording]"
    cast: "Cast"
    period: "Period"
    pace: float
    horizons: "Sequence[Horizon]"
    as_json: bool
    out: TextIO

    def settings_for(self, plugins: "Iterable[Plugin]") -> Settings:
        """With the feature flags. Raises TickflagError for one that neither the engine nor a trader has."""
        from services.replay.flagged import with_flags

        return with_flags(self.settings, self.flags, [plugin.trader for plugin in plugins])

    def progress(self, quiet: bool) -> Progress:
        """`quiet`: no signals run through the terminal."""
        return Progress("replay", sum(recording.rows for recording in self.recordings), quiet or not self.out.isatty())


def play(job: Job, only: Sequence[str], report: Path | None, chart: Path | None) -> Callable[[], None]:
    """Signals as they come; gives what shows the summary, and exits with 1 where a trader failed or did not run."""
    from services.replay.chart import check_chart, write_chart
    from services.replay.engine import Replay
    from services.replay.report import Report
    from services.replay.traders import load_traders

    chosen = load_traders(job.cast, only, complain)
    plugins = [one.plugin for one in chosen.loaded.values()]
    if chart is not None:
        check_chart(chart)
    write = output.write_json if job.as_json else output.write_text
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(
            Replay(
                job.settings_for(plugins), job.recordings, plugins, complain,
                job.pace, job.period, job.horizons, tracked=chart is not None,
            )
        )  # fmt: skip
        if not engine.seats.traders:
            raise TickflagError("no trader to replay with")
        written = None if report is None else stack.enter_context(Report(report))
        progress = stack.enter_context(job.progress(quiet=False))
        for signal in engine.run():
            write(signal, job.out)
            if written is not None:
                written.add(signal)
            progress.reach(engine.player.applied)
        summary, study = engine.summary().plain(), engine.study
        assert study is not None  # it was asked for
        names = list(summary["traders"])
        summary["refused"] = chosen.refused | summary["refused"]
        if written is not None:
            written.finish(summary, names, study)
        if chart is not None:
            write_chart(chart, _title(job), names, study)
        failures = engine.seats.failures
    return lambda: output.show_summary(summary, failures, job.as_json)


def compare(job: Job, only: Sequence[str]) -> Callable[[], None]:
    """With tracking and without, side by side; gives what shows the result.

    A difference, a fault, and a trader that does not run exit with 1.
    """
    from services.replay.against import Comparison, without_tracking
    from services.replay.player import Player
    from services.replay.seats import Seats
    from services.replay.traders import load_traders

    traders, refused = load_traders(job.cast, only, complain)
    for name, one in traders.items():
        if one.plugin.trader.every:
            complain(f"trader {name!r} is not compared: without tracking `every` asks it at other moments")
    compared = [one for one in traders.values() if not one.plugin.trader.every]
    settings = job.settings_for([one.plugin for one in compared])
    with Player(settings, job.recordings, complain, job.pace, job.period) as player:
        flagged = Seats(settings, player.segment, [one.plugin for one in compared], complain)
        again = [one.again() for one in compared if one.plugin.trader.name not in flagged.refused]
        if not again:
            raise TickflagError("no trader to compare")
        full = Seats(without_tracking(settings), player.segment, again, lambda fault: complain(f"full: {fault}"))
        comparison = Comparison(player, flagged, full)
        with job.progress(quiet=True) as progress:
            for _ in comparison.run():
                progress.reach(player.applied)
    return lambda: output.show_comparison(comparison, refused | comparison.refused, job.as_json)


def sweep(job: Job, combinations: "Sequence[Combination]") -> Callable[[], None]:
    """Each combination's own run, all in one pass; gives what shows their rows.

    One that failed or could not run exits with 1.
    """
    from services.replay.player import Player
    from services.replay.sweep import Sweep
    from services.replay.traders import load_traders

    names = list(dict.fromkeys(one.trader for one in combinations))
    found = load_traders(job.cast, names, complain).loaded
    plugins = []
    for combination in combinations:
        try:
            plugins.append((combination, found[combination.trader].again(combination.settings)))
        except PluginError as error:
            raise TickflagError(f"{combination}: {error}") from None
    settings = job.settings_for(plugin for _, plugin in plugins)
    with Player(settings, job.recordings, complain, job.pace, job.period) as player:
        swept = Sweep(settings, player, plugins, job.horizons, complain)
        with job.progress(quiet=True) as progress:
            for _ in swept.run():
                progress.reach(player.applied)
        digests, failures = swept.digests(), swept.failures()
    return lambda: output.show_sweep(digests, failures, swept.refused, job.as_json)


def _title(job: Job) -> str:
    from services.replay.period import utc

    names = ", ".join(Path(recording.name).name for recording in job.recordings)
    start_ns, end_ns = job.period.span(job.recordings)
    return f"Replay of {names}, {utc(start_ns)[:-4]} to {utc(end_ns)[:-4]} UTC"
