"""A channel with failures of real handlers, the page as a process, and a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys

from failure_destinations import FailureChannel
from failure_destinations.names import BATCH_BUCKET, EVENT_SOURCE_FAILURES
from failure_destinations.testing import LocalCloud

from ..replay import kinesis_batches

# Fails until a file is gone, which stands for the bug.
HANDLER = """
import base64, json, pathlib, time

def handler(event, context):
    if "Records" in event:
        for record in event["Records"]:
            handler(json.loads(base64.b64decode(record["kinesis"]["data"])), context)
        return
    time.sleep(event.get("seconds", 0))
    with open(event["log"], "a") as log:
        log.write(str(event["order"]) + "\\n")
    if event.get("bug") and pathlib.Path(event["bug"]).exists():
        raise KeyError("no price for order " + str(event["order"]))
    if event.get("poison"):
        raise ValueError("no such order: " + str(event["order"]))
"""
PATIENCE = 120
T = Any


def wait_for(look: Callable[[], T], what: str | Callable[[], str]) -> T:
    """Call a function until it returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"never saw {what if isinstance(what, str) else what()}")
        time.sleep(0.1)
    return found


@dataclass
class Shop:
    """A deployed channel whose handler fails."""

    cloud: LocalCloud
    folder: Path
    function: str
    queue_url: str
    bucket: str = ""
    stack: str = "UiShop"

    @property
    def bug(self) -> Path:
        """The file whose presence is the bug."""
        return self.folder / "bug"

    def runs(self) -> list[str]:
        """Return the orders that the handler was called with, one for each run."""
        log = self.folder / "runs"
        return log.read_text().split() if log.exists() else []

    def forget_runs(self) -> None:
        """Start counting runs anew."""
        (self.folder / "runs").unlink(missing_ok=True)

    def fail(self, *orders: int, poison: bool = False, **more: Any) -> None:
        """Let the handler fail for some orders, and wait until the queue has them."""
        self.bug.touch()
        before = self.waiting()
        for order in orders:
            event = {"order": order, "log": str(self.folder / "runs"), **more}
            event |= {"poison": True} if poison else {"bug": str(self.bug)}
            self.cloud.invoke(self.function, event)
        wait_for(lambda: self.waiting() == before + len(orders), "the failed events in the queue")
        self.forget_runs()

    def fail_batch(self, *orders: int) -> None:
        """Put a failed batch of orders into the bucket and the queue, as Lambda would."""
        arn = f"arn:aws:lambda:{self.cloud.region}:{self.cloud.account}:function:{self.function}"
        log = str(self.folder / "runs")
        data = [("all", json.dumps({"order": order, "log": log})) for order in orders]
        body = kinesis_batches.record(len(data), function=arn)
        key = f"aws/lambda/{kinesis_batches.MAPPING}/{uuid4()}"
        whole = json.dumps({**body, "payload": kinesis_batches.event(*data)})
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=whole)
        body["storedObject"] = {"bucket": self.bucket, "key": key}
        self.cloud.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(body))

    def waiting(self) -> int:
        """Return how many messages the queue has."""
        sqs = self.cloud.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def orders(self) -> list[int]:
        """Return the orders whose events are in the queue and can be received."""
        messages = self.cloud.messages(self.queue_url, count=0)
        return sorted(message.json()["requestPayload"]["order"] for message in messages)


@pytest.fixture(scope="session")
def deployed(ministack: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Deploy the channel once."""
    app = cdk.App()
    stack = cdk.Stack(app, Shop.stack)
    handler = lambda_.Function(
        stack,
        "Order",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(HANDLER),
        timeout=cdk.Duration.seconds(60),
    )
    channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
    channel.notify_failures_of(handler, retries=0)
    bucket = s3.Bucket(Construct(channel, EVENT_SOURCE_FAILURES), BATCH_BUCKET)
    cdk.CfnOutput(stack, "Bucket", value=bucket.bucket_name)
    cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "Function", value=handler.function_name)
    outputs = ministack.deploy(app)[Shop.stack]
    folder = tmp_path_factory.mktemp("shop")
    return Shop(ministack, folder, outputs["Function"], outputs["QueueUrl"], outputs["Bucket"])


@pytest.fixture
def shop(deployed: Shop) -> Iterator[Shop]:
    """The channel, with an empty queue."""
    yield deployed
    deployed.cloud.client("sqs").purge_queue(QueueUrl=deployed.queue_url)
    deployed.forget_runs()


@dataclass
class Page:
    """The command `ui`, while it runs."""

    process: subprocess.Popen[str]
    address: str

    @property
    def base(self) -> str:
        """The address without the token."""
        return self.address.partition("/?")[0]

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def serve(shop: Shop, *options: str) -> Iterator[Page]:
    """Run the command until the block ends."""
    command = [sys.executable, "-m", "failure_destinations", "ui", "--stack", shop.stack]
    with subprocess.Popen(
        [*command, "--no-browser", *options],
        env=os.environ | shop.cloud.environment | {"XDG_STATE_HOME": str(shop.folder / "state")},
        cwd=shop.folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            printed = ""
            for line in process.stderr:
                printed += line
                if found := re.search(r"the page: (http://\S+)", line):
                    yield Page(process, found[1])
                    break
            else:
                raise AssertionError(printed)
        finally:
            process.kill()


@pytest.fixture
def page(shop: Shop) -> Iterator[Page]:
    """The page of the channel."""
    with serve(shop) as page:
        yield page


class Browser:
    """A browser that was let in by a page's address."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Go to an address."""
        self.driver.get(address)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a CSS selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return [str(text) for text in self.driver.execute_script(script, selector)]

    def see(self, text: str, selector: str = "body") -> str:
        """Wait for a text, and return the text of the element that has it."""
        return str(
            wait_for(
                lambda: next((one for one in self.texts(selector) if text in one), None),
                lambda: f"{text!r} in {selector}, but {self.texts('body')}",
            )
        )

    def click(self, selector: str, text: str = "") -> None:
        """Click the first element that has a text."""

        def find() -> Any:
            # Before the page is connected, nobody hears a click.
            script = (
                "return window.did_handshake && [...document.querySelectorAll(arguments[0])].find("
                "e => e.innerText.includes(arguments[1]) && !e.disabled "
                "&& e.getClientRects().length)"
            )
            return self.driver.execute_script(script, selector, text)

        def click() -> bool:
            element = find()
            if element is None:
                return False
            try:
                scroll = "arguments[0].scrollIntoView({block: 'center'})"
                self.driver.execute_script(scroll, element)
                if element.tag_name == "button":
                    # A dialog that still grows would move it away under the pointer.
                    self.driver.execute_script("arguments[0].click()", element)
                else:
                    element.click()
            except WebDriverException:
                # The page was just shown anew, or something still covers the element.
                return False
            return True

        wait_for(click, f"{selector} with {text!r} to click")

    def write(self, selector: str, text: str) -> None:
        """Write a text into a field, in place of what it has."""
        script = "return document.querySelector(arguments[0])"

        def write() -> bool:
            field = self.driver.execute_script(script, selector)
            if field is None:
                return False
            try:
                field.send_keys(Keys.CONTROL, "a")
                field.send_keys(text)
                field.send_keys(Keys.TAB)
            except WebDriverException:
                return False
            return True

        wait_for(write, f"the field {selector}")

    def look(self) -> None:
        """Look into the queues again, and wait until the page shows what was seen."""
        script = "return Number(document.querySelector('[data-version]')?.dataset.version ?? 0)"
        # 0: before the first look has ended.

        def version() -> int:
            return int(self.driver.execute_script(script))

        before = wait_for(version, "the first look")
        self.click(self.part("look"))
        wait_for(lambda: version() > before, "another look")

    def part(self, name: str) -> str:
        """Return the selector of a part of the page."""
        return f'[data-part="{name}"]'

    def requests(self) -> set[str]:
        """Return the origins that the page asked for something."""
        script = (
            "return performance.getEntriesByType('resource').map(one => new URL(one.name).origin)"
        )
        return set(self.driver.execute_script(script))

    def errors(self) -> list[str]:
        """Return what the browser complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def look_like(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a window or a phone of a size, light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@pytest.fixture
def new_browser() -> Iterator[Callable[[str], Browser]]:
    """Open another browser at an address."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and its driver: apt install chromium chromium-driver")
    drivers: list[Any] = []

    def start(address: str) -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1300,1300"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(driver)
        drivers.append(webdriver.Chrome(options=options, service=service))
        browser = Browser(drivers[-1])
        browser.open(address)
        return browser

    yield start
    for each in drivers:
        each.quit()


@pytest.fixture
def browser(page: Page, new_browser: Callable[[str], Browser]) -> Browser:
    """A browser at the page."""
    return new_browser(page.address)
