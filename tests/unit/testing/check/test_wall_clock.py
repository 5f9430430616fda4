"""The wall clock under control."""

import datetime
import time
from types import ModuleType

from tickflag.common.units import NS_PER_S
from tickflag.services.testing.check.wall_clock import wall_clock

AT_NS = 1_709_650_000 * NS_PER_S + NS_PER_S // 2
AT = datetime.datetime(2024, 3, 5, 14, 46, 40, 500_000, datetime.UTC)


def test_every_clock_is_replaced_and_put_back() -> None:
    """Clocks are replaced in their modules and under names that a module gave them; objects made meanwhile are of the
    usual types."""
    module = ModuleType("trader")
    exec("from time import time as now, gmtime\nfrom datetime import datetime, date, timezone", vars(module))
    before = dict(vars(time)), dict(vars(datetime)), dict(vars(module))
    made = datetime.datetime(2024, 1, 1)
    with wall_clock(lambda: AT_NS, [module]):
        assert module.now() == time.time() == time.monotonic() == time.perf_counter() == AT_NS / NS_PER_S
        assert time.time_ns() == time.monotonic_ns() == time.perf_counter_ns() == AT_NS
        assert module.datetime.now(datetime.UTC) == datetime.datetime.now(datetime.UTC) == AT
        assert datetime.datetime.now().timestamp() == datetime.datetime.today().timestamp() == AT_NS / NS_PER_S
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
    """Each call asks for the time."""
    times = iter((1 * NS_PER_S, 2 * NS_PER_S))
    with wall_clock(lambda: next(times), []):
        assert [time.time(), time.time()] == [1.0, 2.0]
