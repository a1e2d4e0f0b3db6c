"""Run many small tasks at once, and stop cleanly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

Task = Callable[[], None]


def run_concurrently(
    tasks: Iterable[Task],
    workers: int,
    done: Callable[[int], None],
    stop: Callable[[], None],
) -> None:
    """Run tasks in threads.

    If one fails or the user interrupts, no further task starts and the running ones finish.

    Args:
        tasks: The tasks; the iterator is advanced as workers become free.
        workers: The number of threads.
        done: Called with the number of tasks that have just finished.
        stop: Called to ask running tasks to finish early.

    Raises:
        Exception: Whatever a task raised.
    """
    waiting = iter(tasks)
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                for task in itertools.islice(waiting, workers - len(running)):
                    running.add(pool.submit(task))
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                done(len(ended))
        except BaseException:
            stop()
            raise
