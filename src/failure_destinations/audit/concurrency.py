"""Does many small things at once, and stops cleanly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

Task = Callable[[], None]


def run(
    tasks: Iterable[Task],
    workers: int,
    done: Callable[[int], None],
    stop: Callable[[], None],
) -> None:
    """Run tasks in threads, no more of them at once than there are workers.

    When one fails, or the user stops it, no other begins, and those that run come to their end.

    Args:
        tasks: The tasks, made as they are needed.
        workers: How many threads.
        done: Gets the number of tasks that came to their end.
        stop: Asks the tasks that run to come to their end.
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
