"""Numbers of the page as text, run by node: the terminal view writes the same."""

import json
import random
import shutil
import subprocess

import pytest

from tests.support.documents.pages import ROOT
from tickflag.services.cli.top.lettering import Lettering

NODE = shutil.which("node")
SCRIPT = ROOT / "services/dashboard/static/format.js"
NEEDS = 'import { html } from "./vendor.js";'


def written(values: list[float]) -> list[str]:
    """What the page makes of figures."""
    text = SCRIPT.read_text()
    assert NEEDS in text
    program = text.replace(NEEDS, "const html = null;")
    program += f"\nprocess.stdout.write(JSON.stringify({json.dumps(values)}.map(short)));"
    assert NODE is not None
    command = [NODE, "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [str(one) for one in json.loads(done.stdout)]


@pytest.mark.skipif(NODE is None, reason="node is not installed: it runs the page's script")
def test_a_figure_has_three_digits_everywhere() -> None:
    """Also where rounding makes one more digit before the point."""
    figures = [999_999, 4_561_000, 999.96, 999.4, 12.34, 7, 0]
    assert written(figures) == ["1.00 M", "4.56 M", "1.00 k", "999", "12.3", "7", "0"]
    chance = random.Random(3)
    drawn = [chance.uniform(1, 10) * 10 ** chance.randrange(-2, 14) for _ in range(500)]
    assert written(drawn) == [Lettering().short(figure) for figure in drawn]
