"""`python -m tests.bench`. Imports nothing heavy at the top: the fork server imports this module again."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.options import Options
    from tests.bench.report import SectionReport

SECTIONS = (
    "ingest", "evaluation", "switching", "worker", "rivals", "latency", "results", "recordings", "many", "dashboard",
    "figures",
)  # fmt: skip
NEEDED = {"figures": ("latency", "results")}


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen sections. A missed target is shown, and is no failure of the benchmark."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the engine beside its targets.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE as well")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that all of it runs, not how fast")
    parser.add_argument("--only", action="append", choices=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS))
    chosen = parser.parse_args(arguments)

    from tests.bench import facts
    from tests.bench.options import Options

    signal.signal(signal.SIGTERM, _end)
    machine = facts.machine_facts()
    print(facts.line(machine), flush=True)
    wanted = {*(chosen.only or SECTIONS)}
    for section in chosen.only or ():
        wanted |= {*NEEDED.get(section, ())}
    found: dict[str, SectionReport] = {}
    for section in SECTIONS:
        if section in wanted:
            found[section] = _run(section, Options(chosen.quick), found)
            print("\n" + found[section].text(), flush=True)
    verdicts = [measure.passed for findings in found.values() for measure in findings.measures]
    print(f"{verdicts.count(True)} targets reached, {verdicts.count(False)} missed")
    if chosen.json:
        sections = {section: findings.plain() for section, findings in found.items()}
        result = {"facts": machine, "quick": chosen.quick, "sections": sections}
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _end(number: int, _frame: object) -> None:
    """Leave through every `with` block, so that no process or folder of a run stays."""
    sys.exit(128 + number)


def _run(section: str, options: "Options", found: "dict[str, SectionReport]") -> "SectionReport":
    from tests.bench.sections import (
        dashboard,
        evaluation,
        figures,
        ingest,
        latency,
        many,
        recordings,
        results,
        rivals,
        switching,
        worker,
    )

    runs: dict[str, Callable[[], SectionReport]] = {
        "ingest": lambda: ingest.run(options),
        "evaluation": lambda: evaluation.run(options),
        "switching": lambda: switching.run(options),
        "worker": lambda: worker.run(options),
        "rivals": lambda: rivals.run(options),
        "latency": lambda: latency.run(options),
        "results": lambda: results.run(options),
        "recordings": lambda: recordings.run(options),
        "many": lambda: many.run(options),
        "dashboard": lambda: dashboard.run(options),
        "figures": lambda: figures.run(options, found),
    }
    began = time.monotonic()
    findings = runs[section]()
    findings.seconds = time.monotonic() - began
    return findings


if __name__ == "__main__":
    sys.exit(main())
