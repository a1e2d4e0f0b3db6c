"""The page in a real browser, on an engine, with failures of real handlers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from .conftest import Browser, Page, Shop, serve, wait_for

# Each test starts a browser and a server.
pytestmark = [pytest.mark.integration, pytest.mark.soak]

BUTTON = "button"
ROW = ".ag-row"


def open_group(browser: Browser, text: str) -> None:
    """Open the group whose row has a text."""
    browser.click(f"{ROW} .ag-cell[col-id=error]", text)
    browser.see("Events", ".section")


def act(browser: Browser, action: str) -> None:
    """Press an action's button, read its plan, and agree."""
    browser.click(browser.part(action))
    browser.see("would be", browser.part("plan"))
    browser.click(browser.part("go"))


def test_shows_what_waits(shop: Shop, new_browser: Callable[[str], Browser]) -> None:
    """The start page counts, and has a group for each kind of failure."""
    shop.fail(1, 2, 3)
    shop.fail(4, poison=True)
    with serve(shop) as page:
        browser = new_browser(page.address)
        assert "4\n" in browser.see("WAITING", ".stat")
        wait_for(lambda: len(browser.texts(ROW)) == 2, "two groups")
        texts = browser.texts(ROW)
        assert "no price for order" in texts[0]
        assert "no such order" in texts[1]
        assert browser.requests() == {page.base}
        assert browser.errors() == []


def test_replays_a_group(shop: Shop, page: Page, browser: Browser) -> None:
    """A group is planned, run and gone from the queue; the others stay; the summary stays."""
    shop.fail(1, 2, 3)
    shop.fail(4, poison=True)
    shop.bug.unlink()
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "replay")
    browser.see("3 succeeded, deleted from the queue", browser.part("job"))
    assert sorted(shop.runs()) == ["1", "2", "3"]
    wait_for(lambda: shop.orders() == [4], "the other event in the queue")
    browser.open(page.base)
    browser.see("3 succeeded, deleted from the queue", browser.part("job"))


def test_replays_selected_events_only(shop: Shop, browser: Browser) -> None:
    """Of a group, only the chosen events run."""
    shop.fail(1, 2, 3)
    shop.bug.unlink()
    browser.look()
    open_group(browser, "no price for order")
    browser.click(f"{ROW}[row-index='1'] input")
    browser.click(f".q-card {browser.part('replay')}")
    browser.see("1 event would be replayed", browser.part("plan"))
    browser.click(browser.part("go"))
    browser.see("1 succeeded", browser.part("job"))
    assert len(shop.runs()) == 1
    wait_for(lambda: len(shop.orders()) == 2, "the other events in the queue")


def test_says_what_failed_again(shop: Shop, browser: Browser) -> None:
    """An event that fails again stays, and the summary has its error."""
    shop.fail(7, poison=True)
    browser.look()
    open_group(browser, "no such order")
    act(browser, "replay")
    browser.see("1 failed (left in the queue)", browser.part("job"))
    browser.see("no such order: 7", browser.part("job"))
    wait_for(lambda: shop.orders() == [7], "the event in the queue")


def test_exports(shop: Shop, browser: Browser) -> None:
    """Events are saved to a file, and nothing runs."""
    shop.fail(1, 2)
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "export")
    browser.see("2 events in", browser.part("job"))
    (written,) = shop.folder.glob("failed-events.jsonl")
    payloads = [json.loads(json.loads(line)["Body"])["requestPayload"] for line in written.open()]
    written.unlink()
    assert (sorted(one["order"] for one in payloads), shop.runs()) == ([1, 2], [])


def test_discards(shop: Shop, browser: Browser) -> None:
    """Events are in the file before they leave the queue, and nothing runs."""
    shop.fail(1, 2)
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "discard")
    browser.see("2 deleted, saved in", browser.part("job"))
    (written,) = shop.folder.glob("discarded.jsonl")
    payloads = [json.loads(json.loads(line)["Body"])["requestPayload"] for line in written.open()]
    written.unlink()
    assert sorted(one["order"] for one in payloads) == [1, 2]
    assert (shop.waiting(), shop.runs()) == (0, [])


def test_replays_with_another_payload(shop: Shop, browser: Browser) -> None:
    """The handler gets what the operator wrote; the original leaves once that succeeded."""
    shop.fail(1, poison=True)
    browser.look()
    open_group(browser, "no such order")
    browser.click(f"{ROW} .ag-cell[col-id=key]")
    browser.click(browser.part("edit"), "Replay with another payload")
    edited = json.dumps({"order": 99, "log": str(shop.folder / "runs")})
    browser.write(f"{browser.part('edited')} textarea, textarea{browser.part('edited')}", edited)
    browser.click(browser.part("replay-edited"))
    browser.see("1 event would be replayed", browser.part("plan"))
    browser.click(browser.part("go"))
    browser.see("1 succeeded", browser.part("job"))
    assert (shop.runs(), shop.waiting()) == (["99"], 0)


def test_shows_and_replays_a_batch(shop: Shop, browser: Browser) -> None:
    """The records of a stream's batch are a table, and it runs as one event."""
    shop.fail_batch(1, 2)
    browser.look()
    open_group(browser, "2 records of stream/orders")
    browser.click(f"{ROW} .ag-cell[col-id=key]")
    browser.see('{"order": 2', browser.part("records"))
    browser.see("shardId-000000000001", ".facts")
    act(browser, "replay")
    browser.see("1 succeeded, deleted from the queue", browser.part("job"))
    browser.see("2 records of failed batches handled", browser.part("job"))
    assert shop.runs() == ["1", "2"]
    assert shop.waiting() == 0


def test_a_poison_group_costs_one_run(shop: Shop, browser: Browser) -> None:
    """A group whose first event fails again is left."""
    shop.fail(*range(8), poison=True)
    browser.look()
    open_group(browser, "no such order")
    act(browser, "replay")
    browser.see("7 not run, since the first of their group failed", browser.part("job"))
    assert len(shop.runs()) == 1
    wait_for(lambda: shop.orders() == list(range(8)), "all events in the queue")


def test_closing_the_browser_loses_nothing(shop: Shop, page: Page, browser: Browser) -> None:
    """What was begun goes on in the command, which gives everything back when it ends."""
    shop.fail(1, 2, 3, 4, seconds=1)
    shop.bug.unlink()
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "replay")
    browser.driver.quit()
    wait_for(lambda: len(shop.runs()) == 4, "the runs")
    wait_for(lambda: shop.waiting() == 0, "an empty queue")
    assert page.interrupt() == 0


def test_interrupting_waits_for_what_runs(shop: Shop, page: Page, browser: Browser) -> None:
    """Ctrl-C lets running handlers finish, and gives the rest back at once."""
    orders = range(12)
    shop.fail(*orders, seconds=1)
    shop.bug.unlink()
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "replay")
    wait_for(lambda: len(shop.runs()) >= 1, "a run")
    page.interrupt()
    ran = {int(order) for order in shop.runs()}
    assert len(shop.runs()) == len(ran)
    assert set(shop.orders()) == set(orders) - ran


def test_stops(shop: Shop, browser: Browser) -> None:
    """Stop starts nothing more; what was not run stays."""
    orders = range(12)
    shop.fail(*orders, seconds=1)
    shop.bug.unlink()
    browser.look()
    open_group(browser, "no price for order")
    act(browser, "replay")
    wait_for(lambda: len(shop.runs()) >= 1, "a run")
    browser.click(browser.part("stop"))
    browser.see("stopped", browser.part("job-state"))
    ran = {int(order) for order in shop.runs()}
    assert len(ran) < len(orders)
    wait_for(lambda: set(shop.orders()) == set(orders) - ran, "the rest in the queue")


def test_two_pages_and_a_second_operator(
    shop: Shop, page: Page, browser: Browser, new_browser: Callable[[str], Browser]
) -> None:
    """Two pages that replay the same events run each of them once."""
    shop.fail(*range(6), seconds=1)
    shop.bug.unlink()
    with serve(shop) as other_page:
        other = new_browser(other_page.address)
        browser.look()
        open_group(browser, "no price for order")
        other.look()
        open_group(other, "no price for order")
        act(browser, "replay")
        other.click(other.part("replay"))
        other.see("would be", other.part("plan"))
        if "0 events" not in other.texts(other.part("plan"))[0]:
            other.click(other.part("go"))
        browser.see("succeeded", browser.part("job"))
        wait_for(lambda: shop.waiting() == 0, "an empty queue")
        assert sorted(map(int, shop.runs())) == list(range(6))
    assert page.interrupt() == 0


def test_a_killed_page_gives_everything_back(shop: Shop, page: Page, browser: Browser) -> None:
    """After kill -9 the events are in the queue, hidden for some minutes at most."""
    shop.fail(1, 2)
    browser.look()
    browser.see("no price for order")
    page.process.kill()
    assert shop.waiting() == 2


def test_read_only_offers_no_action(shop: Shop, new_browser: Callable[[str], Browser]) -> None:
    """With --read-only there is nothing to press."""
    shop.fail(1)
    with serve(shop, "--read-only") as page:
        browser = new_browser(page.address)
        open_group(browser, "no price for order")
        browser.see("read only")
        assert browser.texts(browser.part("replay")) == []
        assert browser.texts(browser.part("export")) == []


HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "{{constructor.constructor('document.title=1')()}}",
    "\x1b[2J\u202eabc\u0000",
    "](javascript:alert(1)) **bold**",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(shop: Shop, new_browser: Callable[[str], Browser], text: str) -> None:
    """Names, errors and payloads from a message are shown and never run."""
    record = {
        "timestamp": "2026-11-28T12:00:00Z",
        "requestContext": {
            "requestId": text,
            "functionArn": f"arn:aws:lambda:eu-west-1:000000000000:function:{shop.function}",
            "condition": text,
        },
        "requestPayload": {text: text, ":onload": "document.title='owned'", ":key": text},
        "responsePayload": {"errorType": text, "errorMessage": text, "stackTrace": [text]},
    }
    sqs = shop.cloud.client("sqs")
    sqs.send_message(QueueUrl=shop.queue_url, MessageBody=json.dumps(record))
    with serve(shop) as page:
        browser = new_browser(page.address)
        browser.click(f"{ROW} .ag-cell[col-id=error]")
        browser.see("Events", ".section")
        browser.click(f"{ROW} .ag-cell[col-id=key]")
        browser.see("Payload", ".section")
        browser.see(":onload", browser.part("json"))
        assert browser.driver.title == "Failed events"
        assert browser.requests() == {page.base}
        assert browser.errors() == []


def test_refuses_a_browser_that_was_not_let_in(page: Page) -> None:
    """Another program on the machine gets nothing without the cookie."""
    for path in ("", "/", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/event/x"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(page.base + path)


def test_rejects_a_port_that_is_taken(shop: Shop) -> None:
    """One line says which port, and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "failure_destinations", "ui", "--stack", shop.stack]
        ended = subprocess.run(
            [*command, "--no-browser", "--port", port],
            env=os.environ | shop.cloud.environment,
            check=False,
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: --port {port} cannot be used: ")
    assert ended.stderr.count("\n") == 1


SIZES = [(1300, 1000, False), (1300, 1000, True), (390, 844, False), (390, 844, True)]


@pytest.mark.parametrize("size", SIZES)
def test_fits_each_screen(
    shop: Shop, page: Page, browser: Browser, size: tuple[int, int, bool]
) -> None:
    """On a desktop and on a phone, light and dark, nothing is wider than the screen."""
    width, height, dark = size
    shop.fail(1, 2)
    browser.look_like(width, height, dark=dark)
    browser.open(page.base)
    browser.look()
    open_group(browser, "no price for order")
    browser.click(f"{ROW} .ag-cell[col-id=key]")
    browser.see("Payload", ".section")
    script = (
        "return [document.documentElement.scrollWidth <= arguments[0], "
        "document.body.classList.contains('body--dark'), "
        "document.querySelector('[data-version]') !== null]"
    )
    for _ in range(3):
        wait_for(
            lambda: browser.driver.execute_script(script, width) == [True, dark, True],
            "a page that fits, in the right mode",
        )
        browser.driver.back()
