"""`tickflag import`: CSV files into a recording."""

from pathlib import Path
from typing import Any

import click

from services.cli.output import json_option, show_json
from services.cli.progress import Progress

_DELIMITERS = {"tab": "\t", "\\t": "\t"}


def _columns(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if not all(value.partition("=")[::2]):
            raise click.BadParameter(f"{value!r}: use OURS=THEIRS, as price=last_px")
    return dict(value.split("=", 1) for value in values)


def _delimiter(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    value = _DELIMITERS.get(value, value)
    if len(value) != 1 or not value.isascii():
        raise click.BadParameter(f"{value!r}: use one character, or `tab`")
    return value


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The recording to write, a Parquet file.")
@click.option("--kind", type=click.Choice(["ticks", "klines"]), help="What the rows are; else told by the columns.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="OURS=THEIRS",
    help="Which column of the files is a recording's; may be repeated. Else by their names.",
)
@click.option("--header", default="", metavar="NAMES", help="Columns of files without a header line, as `t,o,h,l,c,v`.")
@click.option("--symbol", default="", help="The symbol of every row, where no column has it.")
@click.option("--interval", default="", help="The interval of every candle, as 1m, where no column has it.")
@click.option(
    "--time-unit",
    type=click.Choice(["auto", "ns", "us", "ms", "s", "iso"]),
    default="auto",
    help="Unit of times since 1970, or `iso` for ISO 8601; `auto`: by the first one.",
)
@click.option("--timezone", default="UTC", help="Time zone of ISO times without an offset; UTC where not given.")
@click.option("--delimiter", default=",", callback=_delimiter, help="Between the columns; `tab` for tabulators.")
@click.option("--sort", is_flag=True, help="Take rows in any order: all of them are kept in memory and sorted.")
@click.option("--force", is_flag=True, help="Overwrite the recording.")
@json_option
def import_(
    files: tuple[Path, ...],
    out: Path,
    kind: Any,
    columns: dict[str, str],
    header: str,
    symbol: str,
    interval: str,
    time_unit: Any,
    timezone: str,
    delimiter: str,
    sort: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make a recording of CSV FILES, plain or gzip, with ticks or candles.

    Rows at fault are refused, named by file and line on standard error, and counted; the rest goes on.
    """
    from common.recordings.naming import Wanted
    from common.recordings.writer import Writer
    from services.cli.csv_import import CsvImport, Form

    names = [name.strip() for name in header.split(",")] if header else []
    form = Form(Wanted(kind, columns, symbol, interval), time_unit, timezone, delimiter, names)
    total = sum(path.stat().st_size for path in files if path.is_file())
    with Progress("import", total) as progress, Writer(out, sort, force) as writer:
        work = CsvImport(form, writer, _complain, progress.reach)
        for path in files:
            work.take(path)
    document = {"recording": str(out), "rows": writer.rows, "refused": work.refused, "skipped": work.skipped}
    if as_json:
        show_json(document)
        return
    click.echo(f"{out}: {writer.rows:,} rows; {work.refused:,} refused, {work.skipped:,} without any price")


def _complain(text: str) -> None:
    click.echo(text, err=True)
