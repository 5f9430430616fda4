"""The wall clock under control."""

import datetime
import time
from types import ModuleType

from services.testing.wall_clock import NS, wall_clock

AT_NS = 1_709_650_000 * NS + NS // 2
AT = datetime.datetime(2024, 3, 5, 14, 46, 40, 500_000, datetime.UTC)


def test_every_clock_is_replaced_and_put_back() -> None:
    """By the names of the modules, and by names that a module gave them; what is made meanwhile counts as usual."""
    module = ModuleType("trader")
    exec("from time import time as now, gmtime\nfrom datetime import datetime, date, timezone", vars(module))
    before = dict(vars(time)), dict(vars(datetime)), dict(vars(module))
    made = datetime.datetime(2024, 1, 1)
    with wall_clock(lambda: AT_NS, [module]):
        assert module.now() == time.time() == time.monotonic() == time.perf_counter() == AT_NS / NS
        assert time.time_ns() == time.monotonic_ns() == time.perf_counter_ns() == AT_NS
        assert module.datetime.now(datetime.UTC) == datetime.datetime.now(datetime.UTC) == AT
        assert datetime.datetime.now().timestamp() == datetime.datetime.today().timestamp() == AT_NS / NS
        assert datetime.datetime.utcnow() == AT.replace(tzinfo=None)
        assert module.date.today() == datetime.datetime.today().date()
        assert tuple(module.gmtime())[:5] == (2024, 3, 5, 14, 46)
        assert tuple(time.gmtime(0))[:3] == (1970, 1, 1)
        assert time.strftime("%M") == time.strftime("%M", time.localtime()) == "46"
        assert isinstance(made, datetime.datetime)
        assert isinstance(made, datetime.date)
        assert isinstance(module.datetime(2024, 1, 1), datetime.datetime)
        assert not isinstance(made.date(), datetime.datetime)
    assert (dict(vars(time)), dict(vars(datetime)), dict(vars(module))) == before


def test_it_moves() -> None:
    """The time is asked for each time."""
    times = iter((1 * NS, 2 * NS))
    with wall_clock(lambda: next(times), []):
        assert [time.time(), time.time()] == [1.0, 2.0]
