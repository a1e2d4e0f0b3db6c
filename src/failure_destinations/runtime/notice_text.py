"""A notice as a mail: a subject, and plain text that reads well on a phone."""

from __future__ import annotations

from collections.abc import Iterator

from .notice import Notice, NoticeGroup, iso_time, plural, time_text
from .notice_place import NoticePlace

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_SUBJECT_CHARACTERS = 99
MAX_TEXT_BYTES = 32_768
_MAX_NAMED_IN_SUBJECT = 3


def subject(notice: Notice, place: NoticePlace) -> str:
    """Return the subject: ASCII text of at most 99 characters.

    `[Shop] 37 failures in 2 groups: orders ValueError, invoices KeyError`
    """
    line = f"[{place.stack}] {headline(notice)}"
    names = [f"{group.called} {group.error_type}".strip() for group in notice.groups]
    if notice.kind == "failures" and names:
        more = ", ..." if notice.group_count > _MAX_NAMED_IN_SUBJECT else ""
        line += f": {', '.join(names[:_MAX_NAMED_IN_SUBJECT])}{more}"
    text = line.encode("ascii", "replace").decode("ascii")
    if len(text) <= MAX_SUBJECT_CHARACTERS:
        return text
    return f"{text[: MAX_SUBJECT_CHARACTERS - 3].rstrip(' ,:')}..."


def headline(notice: Notice) -> str:
    """Return what a notice says in one phrase, without names."""
    if notice.kind == "over":
        return "Over: no failed event is waiting"
    if notice.kind == "reminder":
        wait = "waits" if notice.waiting == 1 else "wait"
        return f"Reminder: {plural(notice.waiting or 0, 'failed event')} still {wait}"
    groups = f" in {notice.group_count:,} groups" if notice.group_count > 1 else ""
    return f"{plural(notice.failures, 'failure')}{groups}"


def text(notice: Notice, place: NoticePlace) -> str:
    """Return the text of a mail, of at most 32 KB."""
    lines = [*_opening(notice)]
    ending = [*_ending(notice, place)]
    room = MAX_TEXT_BYTES - len("\n".join(ending).encode()) - 200
    described = 0
    for number, group in enumerate(notice.groups, start=1):
        block = ["", *_group(number, group, notice, place)]
        room -= len("\n".join(block).encode()) + 1
        if room < 0:
            break
        lines += block
        described = number
    if notice.group_count > described:
        lines += ["", f"And {plural(notice.group_count - described, 'more group')}."]
    return "\n".join([*lines, *ending]) + "\n"


def _opening(notice: Notice) -> Iterator[str]:
    yield f"{headline(notice)}."
    if notice.kind == "failures" and notice.waiting is not None:
        wait = "waits" if notice.waiting == 1 else "wait"
        yield f"About {plural(notice.waiting, 'failed event')} {wait}."
    if notice.kind == "over" and notice.failures:
        failures = plural(notice.failures, "failure")
        yield f"It was {failures} in {plural(notice.group_count, 'group')}."
    if notice.kind != "failures" and notice.since is not None:
        yield f"The first failed on {time_text(notice.since)}."


def _group(number: int, group: NoticeGroup, notice: Notice, place: NoticePlace) -> Iterator[str]:
    new = "  (new)" if group.is_new and notice.kind == "failures" else ""
    yield f"{number}. {group.called}{new}"
    for line in (group.error_type, group.message):
        if line:
            yield f"   {line}"
    if group.frame:
        yield f"   in {group.frame}"
    so_far = "" if group.failures == group.total else f", {group.total:,} so far"
    records = f", {plural(group.records, 'record')} in all" if group.records else ""
    yield f"   {plural(group.failures, 'failure')}{so_far}{records}"
    if group.first == group.last:
        yield f"   at    {time_text(group.first)}"
    else:
        yield f"   first {time_text(group.first)}"
        yield f"   last  {time_text(group.last)}"
    if notice.kind == "over":
        return
    if group.attempts is not None:
        yield f"   {plural(group.attempts, 'attempt')} each"
    if group.payload is not None:
        yield "   One of the events:"
        yield f"   {group.payload}"
    link = place.log_link(group)
    if link is not None:
        yield "   Log:"
        yield f"   {link}"
    yield "   See them:"
    yield f"   {place.list_command(group)}"
    does = "Replay them" if group.queue is None else "Move them back"
    yield f"   {does}, once it is fixed:"
    yield f"   {place.replay_command(group)}"


def _ending(notice: Notice, place: NoticePlace) -> Iterator[str]:
    if notice.kind != "over":
        if not notice.groups:
            yield from ("", "See them:", place.list_command())
            yield from ("Replay them, once it is fixed:", place.replay_command())
        link = place.queue_link()
        if link is not None:
            yield from ("", "Queue:", link)
    yield from ("", f"{place.channel}, {place.account} {place.region}", iso_time(notice.time))
