"""The three uses of a replay: to see the signals, to compare with tracking off, to sweep settings."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from tickflag.common.errors import PluginError, TickflagError
from tickflag.common.settings import Settings
from tickflag.services.cli.progress import ProgressBar
from tickflag.services.cli.replay import output

if TYPE_CHECKING:
    from tickflag.services.feed.recordings import Recording
    from tickflag.services.replay.period import Period
    from tickflag.services.replay.player import Player
    from tickflag.services.replay.study.study import Horizon
    from tickflag.services.replay.sweep import Combination
    from tickflag.services.replay.traders import Cast, OwnSetting
    from tickflag.services.trader.evaluation.plugin.plugin import Plugin


def complain(text: str) -> None:
    click.echo(text, err=True)


@dataclass(frozen=True, slots=True)
class Job:
    """What every mode needs. `out` is standard output; what traders print must not go there."""

    settings: Settings
    flags: Mapping[str, bool]
    recordings: "Sequence[Recording]"
    cast: "Cast"
    own: "Sequence[OwnSetting]"
    period: "Period"
    pace: float
    horizons: "Sequence[Horizon]"
    as_json: bool
    out: TextIO

    def settings_for(self, plugins: "Iterable[Plugin]") -> Settings:
        """The settings with the feature flags. Raises TickflagError for one that neither engine nor trader has."""
        from tickflag.services.replay.with_flags import with_flags

        return with_flags(self.settings, self.flags, [plugin.trader for plugin in plugins])

    def progress(self, player: "Player", quiet: bool) -> ProgressBar:
        """A progress bar over the recordings' time, history included. `quiet` says that the terminal shows no signals,
        which would disturb the bar."""
        starts_ns = [recording.start_ns for recording in self.recordings if recording.start_ns is not None]
        start_ns = max(min(starts_ns, default=0), self.period.since_ns)
        total_ns = max(player.span[1] - start_ns, 0)
        shown = quiet or not self.out.isatty()
        return ProgressBar("replay", total_ns, shown, lambda: player.now_ns - start_ns)


def play(job: Job, only: Sequence[str], report: Path | None, chart: Path | None) -> Callable[[], None]:
    """Show the signals as they come; gives a call that shows the summary.

    The call exits with 1 where a trader failed or did not run.
    """
    from tickflag.services.replay.replay import Replay
    from tickflag.services.replay.study.chart import check_chart, write_chart
    from tickflag.services.replay.study.report import ReportFile
    from tickflag.services.replay.traders import load_traders

    chosen = load_traders(job.cast, only, complain, job.own)
    plugins = [one.plugin for one in chosen.loaded.values()]
    if chart is not None:
        check_chart(chart)
    write = output.write_json if job.as_json else output.write_text
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(
            Replay(
                job.settings_for(plugins), job.recordings, plugins, complain,
                job.pace, job.period, job.horizons, lines=chart is not None,
            )
        )  # fmt: skip
        if not engine.lockstep.traders:
            raise TickflagError("no trader to replay with")
        written = None if report is None else stack.enter_context(ReportFile(report))
        stack.enter_context(job.progress(engine.player, quiet=False))
        for signal in engine.run():
            write(signal, job.out)
            if written is not None:
                written.add(signal)
        summary, study = engine.summary().plain(), engine.study
        assert study is not None  # it was asked for
        names = list(summary["traders"])
        summary["refused"] = chosen.refused | summary["refused"]
        if written is not None:
            written.finish(summary, names, study)
        if chart is not None:
            write_chart(chart, _title(job), names, study)
        failures = engine.lockstep.failures
    return lambda: output.show_summary(summary, failures, job.as_json)


def compare(job: Job, only: Sequence[str]) -> Callable[[], None]:
    """Run the traders with tracking and without, side by side; gives a call that shows the result.

    The call exits with 1 after a difference or a failure, and where a trader did not run.
    """
    from tickflag.services.replay.hindrances import PlayedMarket
    from tickflag.services.replay.lockstep import Lockstep
    from tickflag.services.replay.player import Player
    from tickflag.services.replay.tracking_diff import TrackingComparison, without_tracking
    from tickflag.services.replay.traders import load_traders

    traders, refused = load_traders(job.cast, only, complain, job.own)
    for name, one in traders.items():
        if one.plugin.trader.every:
            complain(f"trader {name!r} is not compared: without tracking `every` asks it at other moments")
    compared = [one for one in traders.values() if not one.plugin.trader.every]
    settings = job.settings_for([one.plugin for one in compared])
    with Player(settings, job.recordings, complain, job.pace, job.period) as player:
        flagged = Lockstep(settings, player.segment, [one.plugin for one in compared], complain)
        again = [one.again() for one in compared if one.plugin.trader.name not in flagged.refused]
        if not again:
            raise TickflagError("no trader to compare")
        full = Lockstep(without_tracking(settings), player.segment, again, lambda fault: complain(f"full: {fault}"))
        comparison = TrackingComparison(player, flagged, full)
        with job.progress(player, quiet=True):
            for _ in comparison.run():
                pass
        hindrances = (
            {} if comparison.difference else comparison.hindrances(PlayedMarket(player.segment, job.recordings))
        )
        left_out = {} if job.as_json else player.market.left_out()

    def show() -> None:
        output.show_left_out(left_out)
        output.show_comparison(comparison, refused | comparison.refused, hindrances, job.as_json)

    return show


def sweep(job: Job, combinations: "Sequence[Combination]") -> Callable[[], None]:
    """Run every combination, all in one pass; gives a call that shows a row for each.

    The call exits with 1 where a combination failed or did not run.
    """
    from tickflag.services.replay.hindrances import PlayedMarket
    from tickflag.services.replay.player import Player
    from tickflag.services.replay.study.resolution import Resolution
    from tickflag.services.replay.sweep import Sweep
    from tickflag.services.replay.traders import load_traders

    names = list(dict.fromkeys(one.trader for one in combinations))
    found = load_traders(job.cast, names, complain, job.own).loaded
    plugins = []
    for combination in combinations:
        try:
            plugins.append((combination, found[combination.trader].again(combination.settings)))
        except PluginError as error:
            raise TickflagError(f"{combination}: {error}") from None
    settings = job.settings_for(plugin for _, plugin in plugins)
    with Player(settings, job.recordings, complain, job.pace, job.period) as player:
        swept = Sweep(settings, player, plugins, job.horizons, Resolution(job.recordings), complain)
        with job.progress(player, quiet=True):
            for _ in swept.run():
                pass
        digests, failures = swept.digests(), swept.failures()
        hindrances = swept.hindrances(PlayedMarket(player.segment, job.recordings))
        left_out = {} if job.as_json else player.market.left_out()

    def show() -> None:
        output.show_sweep(digests, failures, hindrances, swept.refused, job.as_json)
        output.show_left_out(left_out)

    return show


def _title(job: Job) -> str:
    from tickflag.services.replay.period import utc

    names = ", ".join(Path(recording.name).name for recording in job.recordings)
    start_ns, end_ns = job.period.span(job.recordings)
    return f"Replay of {names}, {utc(start_ns)} to {utc(end_ns)} UTC"
