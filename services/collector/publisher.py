"""SignalPublisher: signals and notices for followers, the control state for the other services."""

from collections.abc import Sequence

from tickflag.common.clock import Clock
from tickflag.common.runtime import Runtime
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import encode, encode_signals
from tickflag.common.wire.messages import Notice, Notices
from tickflag.common.wire.sockets import open_socket, try_send
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.write_ahead_log import SignalRow
from tickflag.services.collector.remote.remote_access import RemoteAccess

SIGNALS_PER_MESSAGE = 10_000  # so that even with the longest names no receiver refuses the frame


class SignalPublisher:
    """Owns its sockets and borrows the rest. One thread. No follower ever makes it wait.

    The owner gives it only what was committed. After a crash between commit and publication, a follower of the signals
    sees the gap in the numbers and asks for the missing signals.
    """

    def __init__(
        self,
        context: sockets.Context,
        runtime: Runtime,
        journal: Journal,
        control: ControlState,
        clock: Clock,
        remote: RemoteAccess | None,
    ) -> None:
        self._runtime, self._journal, self._control, self._clock = runtime, journal, control, clock
        self._remote = remote
        self._signals = open_socket(context, runtime, sockets.SIGNALS_OUT, hidden=True)
        self._controls = open_socket(context, runtime, sockets.CONTROL_OUT, hidden=True)
        self.control_version = 0
        """Version of the control state that was published last."""

    @property
    def sockets(self) -> dict[str, sockets.Socket]:
        """Endpoint -> socket."""
        return {sockets.SIGNALS_OUT.endpoint: self._signals, sockets.CONTROL_OUT.endpoint: self._controls}

    def publish_signals(self, rows: Sequence[SignalRow]) -> None:
        """Send the batch in one message, a very large batch in several. An empty batch is the heartbeat."""
        for start in range(0, max(1, len(rows)), SIGNALS_PER_MESSAGE):
            part = rows[start : start + SIGNALS_PER_MESSAGE]
            last_seq = part[-1].seq if part else self._journal.last_seq
            self._publish(encode_signals(part, last_seq, self._journal.journal_id, self._journal.last_notice))

    def publish_notices(self, notices: list[Notice]) -> None:
        """Send the notices of a commit."""
        journal_id = self._journal.journal_id
        self._publish(encode(Notices(notices=notices, last_seq=notices[-1].seq, journal_id=journal_id)))

    def publish_control(self) -> None:
        """Send the control state, changed or not."""
        document = self._control.document(self._clock.wall_ns() // NS_PER_MS)
        try_send(self._controls, encode(document))
        self.control_version = document.state_version

    def close(self) -> None:
        """Close the sockets and remove their files; the context still sends the last signals."""
        for socket, role in ((self._signals, sockets.SIGNALS_OUT), (self._controls, sockets.CONTROL_OUT)):
            socket.close()
            (self._runtime.folder / role.endpoint).unlink(missing_ok=True)

    def _publish(self, frame: bytes) -> None:
        """Send a frame of the signal feed to followers of this machine and of others."""
        try_send(self._signals, frame)
        if self._remote:
            self._remote.publish(frame)
