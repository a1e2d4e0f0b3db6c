"""The tally of a run in words, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from failure_destinations.text import plural

from .batches import batches
from .tally import Tally


def tally_lines(tally: Tally, *, from_file: bool) -> Iterator[str]:
    """Yield what became of a run's messages, a line for each kind of outcome.

    Args:
        tally: The run's tally.
        from_file: Whether the messages came from files and not from a queue.
    """
    deleted = "" if from_file else ", deleted from the queue"
    if tally.handed_over:
        yield f"{tally.handed_over:,} handed over to Lambda{deleted}"
    if tally.succeeded or not tally.handed_over:
        yield f"{tally.succeeded:,} succeeded{deleted if tally.succeeded else ''}"
    left = "" if from_file else " (left in the queue)"
    if tally.partial:
        yield f"{batches(tally.partial)} handled as far as chosen{left}"
    if tally.records_handled:
        yield f"{plural(tally.records_handled, 'record')} of failed batches handled"
    if tally.records_older:
        yield (
            f"{plural(tally.records_older, 'record')} left out, since a newer one of the same key "
            f"was chosen{left}: `discard` saves and deletes their batches"
        )
    one = tally.no_events == 1
    lines = [
        (tally.failed, f"failed{left}"),
        (tally.left, f"not run, since the first of their group failed{left}: --all runs them"),
        (
            tally.without_function,
            f"without the name of a function{left}: pass --function-name",
        ),
        (
            tally.other_function,
            f"for another function than --function-name{left}: leave it out, or pass --to",
        ),
        (
            tally.no_events,
            f"{'message is not a failed event' if one else 'messages are not failed events'}{left}",
        ),
        (tally.not_meant, f"not chosen{left}"),
        (tally.of_others, f"sent by another function{left}: --any-sender replays them too"),
        (tally.foreign, f"for functions that are not in the queue's account and Region{left}"),
        (
            tally.not_handlers,
            f"for functions that are not the channel's handlers{left}: pass --allow-function ARN",
        ),
        (
            tally.too_long,
            f"for functions whose timeout is over 30 minutes{left}: pass --asynchronous",
        ),
        (
            tally.not_awaited,
            f"of streams or queues, whose answer counts{left}: leave out --asynchronous",
        ),
        (
            tally.without_destination,
            f"for functions without failure destination and dead-letter queue{left}",
        ),
        (
            tally.transformed,
            f"as they came to rules that transform events{left}: pass --to to send them so",
        ),
        (
            tally.rule_unknown,
            f"from rules that cannot be read{left}: allow events:ListTargetsByRule, or pass --to",
        ),
        (tally.running, f"still running{left}: the same command follows them further"),
        (tally.returned, f"handed over by this run and failed again{left}"),
        (
            tally.without_tenant,
            f"for functions that isolate tenants{left}: pass --tenant-id",
        ),
        (tally.duplicates, "delivered twice, not run twice"),
        (tally.done_before, "not run, having succeeded in an earlier run"),
        (tally.at_limit, "to be moved to the queue's own dead-letter queue by the next receive"),
    ]
    for count, text in lines:
        if count:
            yield f"{count:,} {text}"
