"""A clock that stands until a test moves it."""


class ManualClock:
    """Monotonic and UTC time are both `now_ns`."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns
