"""FailureNotifier's function on an engine: time, two at once, killed, without state or topic."""

from __future__ import annotations

import itertools
import json
import threading

import pytest
from botocore.exceptions import ClientError

from failure_destinations.runtime import FailedEvent, Fingerprint, fingerprint, notifier
from failure_destinations.runtime.notice import Notice
from failure_destinations.runtime.notice_formats import by_protocol
from failure_destinations.runtime.notice_place import NoticePlace
from failure_destinations.runtime.notifier_state import LEASE_SECONDS
from failure_destinations.testing import LocalCloud

from ..runtime.notices import record
from .notifier_bench import Bench, Killed, failures_in

pytestmark = [pytest.mark.integration, pytest.mark.soak]


@pytest.fixture
def bench(localemu: LocalCloud) -> Bench:
    """A notifier that has just been deployed."""
    bench = Bench(localemu)
    bench.pass_time(120)
    return bench


def test_from_the_first_failure_to_the_end_and_again(bench: Bench) -> None:
    """New, a digest, reminders, over; and a group that returns is new."""
    bench.fail("no stock for order 17")
    bench.run()
    bench.fail("no stock for order 18", "no stock for order 19")
    bench.pass_time(600)
    assert bench.kinds == ["failures", "failures"]
    assert [each["failures"] for each in bench.sent] == [1, 2]
    bench.pass_time(2 * 86_400, 3600)
    assert bench.kinds == ["failures", "failures", "reminder", "reminder"]
    assert bench.sent[-1]["waiting"] == 3
    bench.replay()
    bench.pass_time(600)
    assert bench.kinds[4:] == ["over"]
    bench.fail("no stock for order 20")
    bench.run()
    assert bench.kinds[5:] == ["failures"]
    assert bench.sent[-1]["groups"][0]["new"]


def test_two_runs_at_once_send_once(bench: Bench) -> None:
    """Each counts its messages, and one of them sends the notice."""
    for round in range(5):
        bench.fail(*(f"no stock for order {each}" for each in range(20)), type=f"Error{round}")
        records = bench.receive()
        notifiers = [bench.notifier() for _ in range(4)]
        threads = [
            threading.Thread(target=notifier.run, args=(records[at::4],))
            for at, notifier in enumerate(notifiers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bench.deliver_again()
        bench.pass_time(300, 300)
    ids = [each["id"] for each in bench.sent]
    assert len(ids) == len(set(ids))
    assert failures_in(bench.sent) == 100


def test_a_message_that_is_delivered_twice_counts_once(bench: Bench) -> None:
    """As after a run whose answer Lambda did not get."""
    bench.fail("no stock for order 17")
    records = bench.receive()
    bench.notifier().run([*records, *records])
    assert failures_in(bench.sent) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call(localemu: LocalCloud, after: bool) -> None:
    """Nothing is lost, no failure counts twice, and a notice comes twice only if SNS had it.

    The run is killed at its first call to AWS, then at its second, and so on.
    """
    twice = []
    for at in itertools.count():
        bench = Bench(localemu)
        bench.pass_time(120)
        bench.fail("no stock for order 17", "no stock for order 18")
        calls = itertools.count()
        try:
            bench.run(bench.notifier((calls, at, after)))
        except Killed:
            was_killed = True
        else:
            was_killed = False
        bench.deliver_again()
        bench.now += LEASE_SECONDS + 1
        bench.run()
        bench.pass_time(300, 300)
        assert failures_in(bench.sent) == 2, f"call {at}"
        ids = [each["id"] for each in bench.sent]
        assert len(set(ids)) == 1, f"call {at}"
        twice += [at] if len(ids) > 1 else []
        if not was_killed:
            break
    # From when SNS has the notice until that is noted: it reads and writes the state.
    assert len(twice) <= 3
    assert all(later == earlier + 1 for earlier, later in itertools.pairwise(twice))


def test_a_lost_state_is_a_notice_too_many(bench: Bench) -> None:
    """Somebody deletes the item: people hear how many wait, and the next failure is new."""
    bench.fail("no stock for order 17")
    bench.run()
    bench.dynamodb.delete_item(TableName=bench.table, Key={"Id": {"S": "state"}})
    bench.pass_time(60)
    bench.fail("no stock for order 18")
    bench.run()
    assert bench.kinds == ["failures", "reminder", "failures"]
    assert bench.sent[1]["waiting"] == 1
    assert bench.sent[2]["groups"][0]["new"]


def test_a_state_lost_before_the_notice_is_told_too(bench: Bench) -> None:
    """What was counted but not said is in the number that waits."""
    bench.fail("no stock for order 17")
    bench.run()
    bench.fail("no stock for order 18")
    bench.run()
    bench.dynamodb.delete_item(TableName=bench.table, Key={"Id": {"S": "state"}})
    bench.pass_time(60)
    assert bench.kinds == ["failures", "reminder"]
    assert bench.sent[1]["waiting"] == 2


def test_a_topic_that_refuses_delays_the_notice(bench: Bench) -> None:
    """The run fails, for its alarm to see; the notice is kept until the topic is there again."""
    bench.fail("no stock for order 17")
    real, bench.topic = bench.topic, f"{bench.topic}-gone"
    with pytest.raises(ClientError, match="does not exist"):
        bench.run()
    bench.topic = real
    bench.run()
    assert failures_in(bench.sent) == 1


def test_a_record_that_cannot_be_read_does_not_stop_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it or with this library: people hear of it, and of the others."""

    def fail_for_one(event: FailedEvent) -> Fingerprint:
        if "18" in str(event.error_message):
            raise RecursionError
        return fingerprint(event)

    monkeypatch.setattr(notifier, "fingerprint", fail_for_one)
    bench.fail("no stock for order 17", "no stock for order 18", "no stock for order 19")
    bench.run()
    (notice,) = bench.sent
    counts = {group["errorType"]: group["failures"] for group in notice["groups"]}
    assert counts == {"ValueError": 2, "UnreadableRecord": 1}


@pytest.mark.parametrize(
    "hostile",
    [
        {"timestamp": "9999-12-31T23:59:59-01:00"},
        {"timestamp": "0001-01-01T00:00:00+01:00"},
        {"requestId": "\ud800"},
        {"requestId": "5" * 150_000},
        {"functionArn": f"arn:aws:lambda:eu-west-1:111122223333:function:{'o' * 100_000}:live"},
        {"functionArn": f"arn:aws:lambda:eu-west-1:111122223333:function:orders:{'l' * 100_000}"},
        {"errorMessage": '"' * 5000},
        {"requestPayload": {"text": '\\"' * 5000}},
    ],
    ids=["late", "early", "surrogate", "long-id", "long-name", "long-alias", "quotes", "payload"],
)
def test_no_record_keeps_people_from_the_next_notice(
    bench: Bench, hostile: dict[str, object]
) -> None:
    """Whoever writes an error or a message may write anything."""
    for number in range(20):
        known = json.loads(record(f"no stock {'abcdefghijklmnopqrst'[number]}", f"Error{number}"))
        known["requestContext"]["functionArn"] += f"{'abcdefghijklmnopqrst'[number]}"
        for part in (known["requestContext"], known["responsePayload"], known):
            part.update({name: value for name, value in hostile.items() if name in part})
        bench.sqs.send_message(QueueUrl=bench.notices, MessageBody=json.dumps(known))
    bench.run()
    bench.fail("an ordinary failure", type="OrdinaryError")
    bench.pass_time(300)
    assert failures_in(bench.sent) == 21
    assert "OrdinaryError" in json.dumps(bench.sent)


def test_a_notice_that_cannot_be_written_is_sent_without_its_groups(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People hear how much failed, even if what failed cannot be said."""

    def fail_with_groups(notice: Notice, place: NoticePlace, *, for_chat: bool) -> str:
        if notice.groups:
            raise UnicodeEncodeError("utf-8", "", 0, 1, "surrogates not allowed")
        return by_protocol(notice, place, for_chat=for_chat)

    monkeypatch.setattr(notifier, "by_protocol", fail_with_groups)
    bench.fail("no stock for order 17", "no stock for order 18")
    bench.run()
    (notice,) = bench.sent
    assert (notice["failures"], notice["groups"]) == (2, [])


def test_a_deployment_without_payloads_sends_none_that_was_kept(bench: Bench) -> None:
    """Neither of a group that was counted before nor in a notice that waits to be sent."""
    real, bench.topic = bench.topic, f"{bench.topic}-gone"
    bench.fail("no stock for order 17")
    with pytest.raises(ClientError, match="does not exist"):
        bench.run()
    bench.topic = real
    bench.run(bench.notifier(with_payload=False))
    bench.fail("no stock for order 18")
    bench.now += 300
    bench.run(bench.notifier(with_payload=False))
    assert failures_in(bench.sent) == 2
    assert [group["payload"] for notice in bench.sent for group in notice["groups"]] == [None, None]


def test_other_messages_on_the_topic_are_a_group(bench: Bench) -> None:
    """They are in the channel's queue too, where somebody has to look at them."""
    for body in ("hello", '{"AlarmName": "Old"}'):
        bench.sqs.send_message(QueueUrl=bench.notices, MessageBody=body)
    bench.run()
    (notice,) = bench.sent
    assert [group["errorType"] for group in notice["groups"]] == ["NotAFailedEvent"]
