"""Looks in a terminal, and looks that are killed, as processes on an engine."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from ..terminal import run_in_terminal
from ..waiting import PATIENCE, eventually
from .conftest import CLI, Orders

pytestmark = [pytest.mark.integration, pytest.mark.soak]

# The sequences by which a terminal moves its cursor, and sets colours.
_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(orders: Orders, columns: int, *arguments: str) -> list[str]:
    """Run the command in a terminal of so many columns, and return the lines that it printed."""
    environment = {**orders.environment, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    command = [*arguments, "--queue", orders.name]
    status, printed = run_in_terminal(command, environment, columns=columns)
    assert status == 0
    return [line.rstrip("\r") for line in _SEQUENCES.sub("", printed).split("\n")]


@pytest.mark.parametrize("columns", [50, 120])
def test_ids_are_whole_in_a_narrow_terminal(orders: Orders, columns: int) -> None:
    """Less important columns are left out, and lines fit."""
    orders.send("1", "2")
    heading, first, second, *_ = in_terminal(orders, columns, "list")
    assert heading.startswith("ID ")
    assert all(re.match(r"[0-9a-f]{8} ", line) for line in (first, second))
    assert max(map(len, (heading, first, second))) <= columns
    assert ("ATTEMPTS" in heading) == (columns == 120)


def test_a_wide_terminal_shows_the_whole_error(orders: Orders) -> None:
    """As far as it fits, not to a fixed length."""
    record = json.loads(orders.record("{}", "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"))
    record["responsePayload"]["errorMessage"] = "e" * 150
    orders.send_text(json.dumps(record))
    assert in_terminal(orders, 250, "list")[1].endswith("RuntimeError: " + "e" * 150)
    assert in_terminal(orders, 120, "list")[1].endswith("…")
    assert ("e" * 150 + "\n") in orders.cli("list").stdout


def test_the_bar_leaves_the_first_line_to_the_table(orders: Orders) -> None:
    """It is gone before the table is printed, however long receiving took."""
    orders.send(*["1"] * 12)
    # The last request of a queue that another consumer has messages of takes three seconds.
    orders.cloud.client("sqs").receive_message(QueueUrl=orders.url, VisibilityTimeout=600)
    lines = in_terminal(orders, 120, "list")
    (heading,) = [line for line in lines if "GROUP" in line]
    assert heading.rpartition("\r")[2].split()[0] == "ID"
    assert not [line for line in lines if "━" in line.rpartition("\r")[2]]


def visible(orders: Orders) -> int:
    """Return how many messages can be received."""
    answer = orders.cloud.client("sqs").get_queue_attributes(
        QueueUrl=orders.url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def look_in_the_middle(orders: Orders) -> subprocess.Popen[bytes]:
    """Start a look at 60 messages that stays in the middle, since nobody reads what it prints."""
    orders.send(*[json.dumps("x" * 2000)] * 60)
    process = subprocess.Popen(
        [*CLI, "list", "--json", "--queue", orders.name],
        env=orders.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    eventually(lambda: [0] * (60 - visible(orders)), lambda hidden: len(hidden) > 30)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_look_gives_all_messages_back(orders: Orders, number: signal.Signals) -> None:
    """With all that its sixteen requests received, whether it was printed or not."""
    process = look_in_the_middle(orders)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.decode()) == (130, "interrupted\n")
    assert visible(orders) == 60


def test_a_killed_look_hides_messages_for_a_minute(orders: Orders) -> None:
    """Nobody has to wait longer: the heartbeat dies with the process."""
    process = look_in_the_middle(orders)
    process.kill()
    process.communicate()
    # Long enough for a minute, and too short for what a heartbeat would add.
    eventually(lambda: [0] * visible(orders), lambda seen: len(seen) == 60, timeout=75)
