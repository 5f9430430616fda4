"""`tickflag import`: CSV files into a recording."""

from pathlib import Path
from typing import Any

import click

from tickflag.services.cli.output import counted, json_option, show_json
from tickflag.services.cli.progress import ProgressBar

_CHARACTERS = {"tab": "\t", "\\t": "\t", "space": " "}


def _columns(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if not all(value.partition("=")[::2]):
            raise click.BadParameter(f"{value!r}: use OURS=THEIRS, as price=last_px")
    return dict(value.split("=", 1) for value in values)


def _character(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    value = _CHARACTERS.get(value, value)
    if value and (len(value) != 1 or not value.isascii()):
        raise click.BadParameter(f"{value!r}: use one character, or `tab` or `space`")
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
    type=click.Choice(["auto", "ns", "us", "ms", "s", "iso", "excel"]),
    default="auto",
    help="Unit of times since 1970, `iso` for ISO 8601, `excel` for its dates; `auto`: each by its size or form.",
)
@click.option("--timezone", default="UTC", help="Time zone of times without an offset; UTC where not given.")
@click.option("--date-order", type=click.Choice(["dmy", "mdy"]), default=None, help="Of dates as 03/04/2024.")
@click.option(
    "--from-year", type=click.IntRange(1971, 2199), default=1990, show_default=True, help="Refuse times before it."
)
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="Before decimals.")
@click.option("--thousands", default="", callback=_character, metavar="CHAR", help="Between thousands, or `space`.")
@click.option(
    "--delimiter",
    default="",
    callback=_character,
    metavar="CHAR",
    help="Between the columns, or `tab`; else the first line tells.",
)
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
    date_order: Any,
    from_year: int,
    decimal: str,
    thousands: str,
    delimiter: str,
    sort: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make a recording of FILES with ticks or candles: CSV, plain, packed or in zip archives, or Parquet.

    Rows at fault are refused, named by file and line on standard error, and counted; the rest goes on.
    """
    from tickflag.common.recordings.naming import ColumnRequest
    from tickflag.common.recordings.numbers import NumberForm
    from tickflag.common.recordings.times import Times
    from tickflag.common.recordings.writer import Writer
    from tickflag.services.cli.recordings.csv_import import CsvFormat, CsvImport

    names = [name.strip() for name in header.split(",")] if header else []
    times = Times(time_unit, timezone, from_year, date_order or "")
    numbers = NumberForm(decimal, thousands)
    form = CsvFormat(ColumnRequest(kind, columns, symbol, interval), times, numbers, delimiter, names)
    total = sum(path.stat().st_size for path in files if path.is_file())
    with ProgressBar("import", total) as progress, Writer(out, sort, force) as writer:
        work = CsvImport(form, writer, _complain, progress.reach)
        for path in files:
            work.import_file(path)
    document = {
        "recording": str(out), "rows": writer.rows, "refused": work.refused, "widened": work.widened,
        "skipped": work.skipped,
    }  # fmt: skip
    if as_json:
        show_json(document)
        return
    skipped = f", {work.skipped:,} without any price" if work.skipped else ""
    click.echo(f"{out}: {counted(writer.rows, 'row')}; {work.refused:,} refused{skipped}")


def _complain(text: str) -> None:
    click.echo(text, err=True)
