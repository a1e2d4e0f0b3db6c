"""Stop a run on signals: the first one ends it in an orderly way, the second one at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_INTERRUPTED_STATUS = 130


@contextmanager
def stopping_on_signals(stop: Callable[[], None], last_words: Callable[[], str]) -> Iterator[None]:
    """Call `stop` on the first SIGINT, SIGTERM or SIGHUP; end the process on a second one.

    Args:
        stop: Makes the run accept no new work. It runs in a signal handler.
        last_words: Returns the line to write to standard error when the process ends at once.
    """
    # Windows has no SIGHUP.
    hangup = getattr(signal, "SIGHUP", None)
    stopped = False

    def handle(number: int, _frame: Any) -> None:
        nonlocal stopped
        # A closed terminal may send two SIGHUPs at once, which do not count as a second request.
        if stopped and number != hangup:
            # Threads that wait for a handler would keep the process alive for up to 30 minutes.
            with suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), f"\n{last_words()}\n".encode())
            os._exit(_INTERRUPTED_STATUS)
        stopped = True
        stop()

    numbers = [signal.SIGINT, signal.SIGTERM]
    # nohup makes processes ignore SIGHUP.
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
