"""RecoveryOrders: recovery's orders for one trader, out of what the control state repeats all the time."""

import pytest

from tickflag.services.trader.supervisor.recovery_orders import Order, RecoveryOrders
from tickflag.services.trader.supervisor.trader_state import OFF, TraderState

RUNNING, QUARANTINED = TraderState.RUNNING, TraderState.QUARANTINED


def test_a_quarantine_begins_and_ends_once() -> None:
    """Repetitions order nothing. The fresh start that ends a quarantine is the return itself."""
    orders = RecoveryOrders()
    told: list[tuple[TraderState, int, int, Order]] = [
        (RUNNING, 0, 0, "nothing"),
        (RUNNING, 2, 1, "quarantine"),
        (QUARANTINED, 2, 1, "nothing"),
        (QUARANTINED, 0, 2, "return"),
        (RUNNING, 0, 2, "nothing"),
        (RUNNING, 3, 2, "quarantine"),
    ]
    for state, opening, fresh_starts, order in told:
        assert orders.next_order(state, opening, fresh_starts) == order


def test_only_a_growing_number_is_a_fresh_start() -> None:
    """Orders from before the first message are carried out already; a collector that begins anew orders nothing."""
    orders = RecoveryOrders()
    found = [orders.next_order(RUNNING, 0, fresh) for fresh in (4, 4, 5, 5, 0, 1)]
    assert found == ["nothing", "nothing", "fresh start", "nothing", "nothing", "fresh start"]


@pytest.mark.parametrize("state", [state for state in OFF if state is not QUARANTINED])
def test_what_is_off_stays_so(state: TraderState) -> None:
    """An operator's order counts more than recovery's."""
    orders = RecoveryOrders()
    assert [orders.next_order(state, *told) for told in ((0, 0), (1, 1), (0, 2))] == ["nothing"] * 3


def test_only_one_quarantine_is_waived() -> None:
    """The next quarantine counts again."""
    orders = RecoveryOrders()
    assert orders.next_order(RUNNING, 2, 1) == "quarantine"
    orders.waive_quarantine()
    assert orders.next_order(RUNNING, 2, 1) == "nothing"
    assert orders.next_order(RUNNING, 3, 1) == "quarantine"
