"""The signals that ask the launcher for the end of what it runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class StopRequests:
    """What has come so far. One cause may send several: HUP comes from a terminal that closes and
    from its shell, TERM with HUP from a manager of services, twice from `timeout`, and at both
    ends of a time of grace. All that asks to save, once; only who types Ctrl-C again does not
    want to wait."""

    def __init__(self) -> None:
        self._received: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._received)

    @property
    def must_stop(self) -> bool:
        """Whether nothing is to be saved any more."""
        return self._received.count(signal.SIGINT) > 1

    @property
    def exit_status(self) -> int:
        """Of what was stopped, as a shell has it: of the first signal."""
        return 128 + self._received[0]

    def take(self, number: int) -> bool:
        """Whether a signal asks for something new."""
        before = bool(self), self.must_stop
        self._received.append(number)
        return before != (bool(self), self.must_stop)


def on_signals(handler: Callable[[int, object], None]) -> None:
    """From now on they come there."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)


@contextlib.contextmanager
def main_thread_takes_signals() -> Iterator[None]:
    """Threads that are started meanwhile take none. Only the main thread runs handlers, and it
    would not wake for a signal that another thread took."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*SIGNALS, signal.SIGALRM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
