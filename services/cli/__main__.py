"""`tickflag`, also `python -m services.cli`."""

from services.cli.group import tickflag


def main() -> None:
    """Run the command line. Ends the process with its exit code."""
    tickflag(prog_name="tickflag")


if __name__ == "__main__":
    main()
