"""`tickflag`, also `python -m tickflag.services.cli`."""

import sys

from tickflag.common.errors import EXIT_FAILED
from tickflag.common.streams import accept_any_text, complain, drop_unwritten
from tickflag.services.cli.group import tickflag, told


def main() -> None:
    """Run the command line. Ends the process with its exit code."""
    accept_any_text()
    try:
        tickflag(prog_name="tickflag")
    except OSError as error:  # of the help, or of the line that says what failed
        complain(f"tickflag: {told(error)}")
        sys.exit(EXIT_FAILED)
    finally:
        drop_unwritten()


if __name__ == "__main__":
    main()
