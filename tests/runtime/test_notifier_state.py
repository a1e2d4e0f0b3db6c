"""When a notifier has something to say, and with which counts."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failure_destinations.runtime import fingerprint, parse
from failure_destinations.runtime.notifier_state import (
    GAP_SECONDS,
    MAX_GROUPS,
    MAX_PAYLOAD_CHARACTERS,
    NotifierState,
    Occurrence,
)
from failure_destinations.runtime.notifier_table import NotifierTable
from failure_destinations.runtime.versioned_item import packed

from . import messages
from .notices import START, Clock, occurrence


@pytest.fixture
def clock() -> Clock:
    """A notifier that has just been deployed."""
    clock = Clock()
    clock.pass_time(300)
    return clock


def test_is_silent_while_nothing_fails(clock: Clock) -> None:
    """A day without failures is a day without messages."""
    clock.pass_time(86_400)
    assert clock.sent == []


def test_a_new_group_is_notified_at_once(clock: Clock) -> None:
    """Without waiting for a tick."""
    clock.fail(occurrence())
    (notice,) = clock.sent
    assert (notice.kind, notice.failures, notice.time) == ("failures", 1, clock.now)
    assert [group.is_new for group in notice.groups] == [True]


def test_what_follows_is_collected(clock: Clock) -> None:
    """The next message comes after `every`, and counts what failed since."""
    clock.fail(occurrence())
    for _ in range(4):
        clock.pass_time(30)
        clock.fail(occurrence("no stock for order 18"), occurrence("no stock for order 19"))
    assert len(clock.sent) == 1
    clock.pass_time(300)
    _, notice = clock.sent
    (group,) = notice.groups
    assert (group.failures, group.total, group.is_new) == (8, 9, False)
    assert notice.time - clock.sent[0].time <= 300 + 60


def test_new_groups_share_a_message_if_they_come_together(clock: Clock) -> None:
    """A second new group waits a few seconds, a third one with it."""
    clock.fail(occurrence(type="A"))
    clock.now += 1
    clock.fail(occurrence(type="B"))
    clock.now += 1
    clock.fail(occurrence(type="C"))
    assert len(clock.sent) == 1
    assert clock.state.failures_due(clock.every) == clock.sent[0].time + GAP_SECONDS
    clock.now = clock.sent[0].time + GAP_SECONDS
    clock.tick()
    assert {group.error_type for group in clock.sent[1].groups} == {"B", "C"}


def test_a_new_group_takes_the_others_along(clock: Clock) -> None:
    """One message has all that was not said yet."""
    clock.fail(occurrence(type="A"))
    clock.pass_time(60)
    clock.fail(occurrence(type="A"))
    clock.fail(occurrence(type="B"))
    _, notice = clock.sent
    assert [(group.error_type, group.is_new) for group in notice.groups] == [
        ("B", True),
        ("A", False),
    ]


def test_a_storm_is_a_handful_of_messages(clock: Clock) -> None:
    """A hundred thousand failures in half an hour, with exact counts."""
    kinds = [occurrence(type=f"Error{number}") for number in range(3)]
    for second in range(1800):
        clock.now += 1
        failures = [
            replace(kinds[second % 3], message_id=f"{second} {number}")
            for number in range(second % 100)
        ]
        clock.fail(*failures)
        clock.state.forget([each.message_id for each in failures], clock.now)
    clock.pass_time(300)
    total = sum(second % 100 for second in range(1800))
    assert sum(notice.failures for notice in clock.sent) == total
    assert len(clock.sent) <= 2100 / 300 + 3


def test_reminds_while_events_wait(clock: Clock) -> None:
    """Once each day, with the number and the groups."""
    clock.fail(occurrence(), occurrence())
    clock.pass_time(3 * 86_400)
    assert clock.kinds == ["failures", "reminder", "reminder", "reminder"]
    reminder = clock.sent[-1]
    assert (reminder.waiting, [group.total for group in reminder.groups]) == (2, [2])
    times = [notice.time for notice in clock.sent]
    assert all(late - early == 86_400 for early, late in itertools.pairwise(times))


def test_says_when_it_is_over(clock: Clock) -> None:
    """Once, when the last event was replayed or deleted."""
    clock.fail(occurrence(), occurrence(type="KeyError"))
    clock.pass_time(600)
    clock.waiting = 0
    clock.pass_time(86_400)
    assert clock.kinds == ["failures", "over"]
    assert (clock.sent[-1].failures, clock.sent[-1].group_count) == (2, 2)
    assert clock.state.groups == {}


def test_a_group_that_returns_is_new_again(clock: Clock) -> None:
    """After it was over, the same failure is notified at once."""
    clock.fail(occurrence())
    clock.waiting = 0
    clock.pass_time(3600)
    clock.fail(occurrence())
    assert clock.kinds == ["failures", "over", "failures"]
    assert clock.sent[-1].groups[0].is_new


def test_is_not_over_before_the_count_is_settled(clock: Clock) -> None:
    """SQS may say for a while that nothing waits although it does."""
    clock.fail(occurrence())
    clock.waiting = 0
    clock.pass_time(60)
    clock.waiting = 1
    clock.pass_time(600)
    assert clock.kinds == ["failures"]


def test_is_not_over_while_failures_are_not_reported(clock: Clock) -> None:
    """What was replayed before the digest came is in the digest first."""
    clock.fail(occurrence())
    clock.pass_time(60)
    clock.fail(occurrence())
    clock.waiting = 0
    clock.pass_time(3600)
    assert clock.kinds == ["failures", "failures", "over"]


def test_a_replayer_that_repairs_at_once_does_not_chatter(clock: Clock) -> None:
    """At most two messages each `every`, although it is over again and again."""
    for _ in range(60):
        clock.fail(occurrence())
        clock.pass_time(30)
        clock.waiting = 0
        clock.pass_time(30)
    assert len(clock.sent) <= 2 * 60 / 5


def test_a_lost_state_is_a_message_too_many(clock: Clock) -> None:
    """Who has no state says at once how many events wait."""
    clock.fail(occurrence())
    clock.state = NotifierState()
    clock.pass_time(60)
    assert clock.kinds == ["failures", "reminder"]
    assert clock.sent[-1].waiting == 1
    clock.fail(occurrence())
    assert clock.kinds == ["failures", "reminder", "failures"]


def test_a_lost_state_with_nothing_waiting_is_silent(clock: Clock) -> None:
    """There is nothing to say, and nothing is over."""
    clock.state = NotifierState()
    clock.pass_time(86_400)
    assert clock.sent == []


def test_each_message_is_counted_once(clock: Clock) -> None:
    """However often the queue delivers it before it is deleted."""
    failure = occurrence()
    assert clock.state.count([failure], clock.now, with_payload=True) == 1
    assert clock.state.count([failure, occurrence()], clock.now, with_payload=True) == 1
    clock.state.forget([failure.message_id], clock.now)
    assert len(clock.state.counted) == 1


def test_forgets_ids_that_cannot_come_back(clock: Clock) -> None:
    """A message that was counted but not deleted is gone after the queue's 14 days."""
    clock.state.count([occurrence()], clock.now, with_payload=True)
    clock.state.forget([], clock.now + 14 * 86_400 + 1)
    assert clock.state.counted == {}


def test_payloads_can_stay_out(clock: Clock) -> None:
    """With payload=False, not even the state has them."""
    clock.state.count([occurrence()], clock.now, with_payload=False)
    assert '"order": 17' not in json.dumps(clock.state.to_json())


def test_a_payload_is_cut(clock: Clock) -> None:
    """At 500 characters."""
    clock.fail(occurrence(payload="x" * 10_000))
    payload = clock.sent[0].groups[0].payload or ""
    assert len(payload) == MAX_PAYLOAD_CHARACTERS
    assert payload.endswith("...")


def test_too_many_groups_are_one(clock: Clock) -> None:
    """The state stays small, and no failure is left out of the counts."""
    clock.fail(*(occurrence(type=f"Error{number}") for number in range(MAX_GROUPS + 50)))
    (notice,) = clock.sent
    assert len(clock.state.groups) == MAX_GROUPS + 1
    assert notice.failures == MAX_GROUPS + 50
    assert clock.state.groups["other"].total == 50


def test_the_oldest_group_makes_room(clock: Clock) -> None:
    """Once it was reported; if it returns, it is new."""
    clock.fail(*(occurrence(type=f"E{each}", at=START + each) for each in range(MAX_GROUPS)))
    clock.pass_time(300)
    clock.fail(occurrence(type="Another"))
    assert len(clock.state.groups) == MAX_GROUPS
    assert "E0" not in {group.error_type for group in clock.state.groups.values()}
    clock.pass_time(300)
    clock.fail(occurrence(type="E0"))
    assert clock.sent[-1].groups[0].is_new


def test_hostile_events_leave_the_state_small(clock: Clock) -> None:
    """The largest state is far below DynamoDB's 400 KB an item."""
    huge = "\u20ac" * 50_000
    failures = [
        occurrence(f"{huge}{number}", type=f"{number}{huge}", payload=huge)
        for number in range(MAX_GROUPS + 1)
    ]
    failures += [occurrence() for _ in range(1000)]
    clock.fail(*failures)
    table = _Kept()
    assert NotifierTable(table, "State").write(clock.state, 0)
    assert len(table.item["State"]["B"]) < 200_000


def test_text_that_cannot_be_compressed_fits(clock: Clock) -> None:
    """Random characters of four bytes, in each member that a record may fill."""
    generator = random.Random(1)

    def wide() -> str:
        return "".join(chr(generator.randrange(0x20000, 0x2A000)) for _ in range(600))

    for number in range(MAX_GROUPS + 1):
        clock.fail(occurrence(wide(), f"{number}{wide()}", payload=wide(), request_id=wide()))
    table = _Kept()
    assert NotifierTable(table, "State").write(clock.state, 0)
    assert len(table.item["State"]["B"]) < 380_000


@pytest.mark.parametrize("id", ["", "a b", "x" * 101, "\ud800", '"', "\u0661"])
def test_keeps_only_request_ids_of_lambda(clock: Clock, id: str) -> None:
    """Others would be in a link, and may be of any length."""
    clock.fail(occurrence(request_id=id))
    assert clock.sent[-1].groups[0].request_id is None


def test_payloads_of_an_earlier_deployment_are_dropped(clock: Clock) -> None:
    """From its groups, and from the notice that is being sent."""
    clock.state.count([occurrence()], clock.now, with_payload=True)
    assert clock.state.write(clock.now, 1, every=300, reminder=86_400)
    assert clock.state.drop_payloads()
    assert '"order": 17' not in json.dumps(clock.state.to_json()).replace("\\", "")
    assert not clock.state.drop_payloads()


@pytest.mark.parametrize(
    "data", [b"", b"x", packed([]), packed({}), packed(5), packed({"groups": {"a": 1}}), None]
)
def test_begins_anew_after_a_damaged_state(data: bytes | None) -> None:
    """A state that somebody else wrote is replaced: a message too many, never none for good."""
    table = _Kept()
    table.item = {"Version": {"N": "7"}, "State": {} if data is None else {"B": data}}
    assert NotifierTable(table, "State").read() == (NotifierState(), 7)


class _Kept:
    """Keeps what is put."""

    class exceptions:  # noqa: N801 - as of boto3's clients
        ConditionalCheckFailedException = KeyError

    item: dict[str, Any]

    def get_item(self, **_request: object) -> dict[str, Any]:
        return {"Item": self.item}

    def put_item(self, **request: Any) -> None:
        self.item = request["Item"]


@messages.patient
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fail", "replay", "pass", "lose"]),
            st.integers(0, 3),
            st.integers(1, 900),
        ),
        max_size=40,
    )
)
def test_every_failure_is_in_exactly_one_notice(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in which order; a lost state loses at most what waits to be said."""
    clock = Clock()
    counted = lost = 0
    for step, kind, seconds in steps:
        if step == "fail":
            clock.fail(occurrence(type=f"Error{kind}"))
            counted += 1
        elif step == "replay":
            clock.waiting = 0
        elif step == "lose":
            lost += sum(group.unreported for group in clock.state.groups.values())
            clock.state = NotifierState()
        clock.pass_time(seconds)
    clock.pass_time(600)
    said = sum(notice.failures for notice in clock.sent if notice.kind == "failures")
    assert said == counted - lost
    # Whoever waits is announced.
    assert not clock.waiting or clock.state.is_announced


def test_dead_letters_of_a_source_queue_are_a_group(clock: Clock) -> None:
    """The first message is new, what follows is in digests, and it reminds like other groups."""
    clock.dead_letters["orders-dead"] = 2
    clock.pass_time(60)
    (notice,) = clock.sent
    (group,) = notice.groups
    assert (notice.kind, notice.failures, notice.waiting) == ("failures", 2, 2)
    assert (group.queue, group.message, group.is_new) == ("orders-dead-source", "orders-dead", True)
    clock.dead_letters["orders-dead"] = 5
    clock.pass_time(300)
    (again,) = clock.sent[1].groups
    assert (again.id, again.failures, again.total, again.is_new) == (group.id, 3, 5, False)
    clock.pass_time(86_400)
    assert clock.kinds == ["failures", "failures", "reminder"]


def test_dead_letters_are_over_and_new_again(clock: Clock) -> None:
    """When the last one was moved back; one that comes then is a new group."""
    clock.dead_letters["orders-dead"] = 2
    clock.pass_time(60)
    clock.dead_letters["orders-dead"] = 0
    clock.pass_time(900)
    assert clock.kinds == ["failures", "over"]
    assert clock.state.queues == {}
    clock.dead_letters["orders-dead"] = 1
    clock.pass_time(60)
    assert clock.sent[2].groups[0].is_new


def test_it_is_not_over_while_dead_letters_wait(clock: Clock) -> None:
    """Events that are replayed do not end what a source queue has."""
    clock.fail(occurrence())
    clock.dead_letters["orders-dead"] = 1
    clock.waiting = 0
    clock.pass_time(1800)
    assert "over" not in clock.kinds


def test_a_count_that_is_low_for_a_while_makes_nothing_new(clock: Clock) -> None:
    """SQS's counts are approximate: what comes back within two minutes never left."""
    clock.dead_letters["orders-dead"] = 4
    clock.pass_time(60)
    for count in (1, 4, 3, 4):
        clock.dead_letters["orders-dead"] = count
        clock.pass_time(60)
    assert [notice.failures for notice in clock.sent] == [4]


def test_what_left_a_queue_is_not_missing_from_later_counts(clock: Clock) -> None:
    """Once fewer are there for good, the next one is new."""
    clock.dead_letters["orders-dead"] = 4
    clock.pass_time(60)
    clock.dead_letters["orders-dead"] = 1
    clock.pass_time(300)
    clock.dead_letters["orders-dead"] = 2
    clock.pass_time(300)
    assert [notice.failures for notice in clock.sent] == [4, 1]


def test_a_lost_state_counts_dead_letters_again(clock: Clock) -> None:
    """A message too many is better than none."""
    clock.dead_letters["orders-dead"] = 4
    clock.pass_time(60)
    clock.state = NotifierState()
    clock.pass_time(60)
    assert [notice.failures for notice in clock.sent] == [4, 4]


def test_dead_letters_of_many_queues_are_one_group_too_many(clock: Clock) -> None:
    """More groups than the state holds are `other`, also these."""
    clock.dead_letters = {f"queue-{number}": 1 for number in range(MAX_GROUPS + 5)}
    clock.pass_time(60)
    (notice,) = clock.sent
    assert (notice.group_count, notice.failures) == (MAX_GROUPS + 1, MAX_GROUPS + 5)


def test_reads_the_state_of_an_earlier_version(clock: Clock) -> None:
    """It knows neither queues nor records."""
    clock.fail(occurrence())
    before = clock.state.to_json()
    del before["queues"]
    for group in before["groups"].values():
        del group["records"], group["queue"]
    clock.state = NotifierState.from_json(json.loads(json.dumps(before)))
    clock.pass_time(600)
    assert clock.kinds == ["failures"]


def test_a_batch_counts_once_with_its_records(clock: Clock) -> None:
    """It is one failure, says how many records it has, and no sample of them is kept."""
    event = parse(messages.stored("batch-kinesis-forwarded"))
    clock.fail(*(Occurrence(str(each), event, fingerprint(event), START) for each in range(3)))
    (group,) = clock.sent[0].groups
    assert (group.failures, group.records, group.payload) == (3, 6, None)
    assert group.message == "2 records of stream/orders, shardId-000000000001"
