"""Photographs the operator's page, with failures of real handlers: `make photograph`.

It needs Chromium and its driver (apt install chromium chromium-driver).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "page.png"
# What the picture shows: if it changes, the picture is stale.
DIGEST = PICTURE.with_suffix(".sha256")
SIZE = (1280, 1060)
SECONDS = 100

HANDLERS = {
    "Order": """
def handler(event, context):
    if event["order"] % 3:
        raise KeyError("no price for article A-%d" % event["order"])
    raise ConnectionError("10.0.0.%d refused the connection" % (event["order"] % 200))
""",
    "Invoice": """
def handler(event, context):
    raise ValueError("customer %d has no address" % event["order"])
""",
    "Mail": """
def handler(event, context):
    raise TimeoutError("mail server did not answer within %d ms" % (3000 + event["order"]))
""",
}


def digest() -> str:
    """Return a digest of everything that decides how the page looks."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "src" / "failure_destinations" / "ui" / "pages").iterdir()):
        if path.suffix in (".py", ".css"):
            found.update(path.read_bytes())
    return found.hexdigest()


def fail(cloud: LocalCloud) -> None:
    """Deploy a channel, and let its handlers fail for a while, at different rates."""
    app = cdk.App()
    stack = cdk.Stack(app, "Shop")
    channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
    for name, code in HANDLERS.items():
        handler = lambda_.Function(
            stack,
            name,
            function_name=f"shop-{name.lower()}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(code),
        )
        channel.notify_failures_of(handler, retries=0)
    cloud.deploy(app)
    started = time.monotonic()
    order = 0
    while (now := time.monotonic() - started) < SECONDS:
        order += 1
        cloud.invoke("shop-order", {"order": order, "customer": {"id": order % 7, "country": "CH"}})
        if 20 < now < 60:
            cloud.invoke("shop-invoice", {"order": order, "due": "2026-12-24"})
        if now > 70 and order % 2:
            cloud.invoke("shop-mail", {"order": order, "template": "shipped"})
        time.sleep(1 if now < 50 else 0.5)
    time.sleep(10)


def photograph(address: str, path: Path) -> None:
    """Take the picture."""
    from selenium import webdriver  # noqa: PLC0415 - a test dependency

    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    # With both programs named, Selenium looks for none, and asks nobody.
    options.binary_location = str(shutil.which("chromium"))
    service = webdriver.ChromeService(str(shutil.which("chromedriver")))
    driver: Any = webdriver.Chrome(options=options, service=service)
    width, height = SIZE
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        driver.get(address)
        deadline = time.monotonic() + 60
        while not driver.execute_script("return document.querySelectorAll('.ag-row').length"):
            if time.monotonic() > deadline:
                sys.exit("the page shows no groups")
            time.sleep(0.5)
        time.sleep(2)
        driver.save_screenshot(str(path))
    finally:
        driver.quit()


def main() -> None:
    """Let handlers fail, open the page, and take its picture."""
    with LocalCloud(engine="localemu", progress=print) as cloud:
        fail(cloud)
        command = [sys.executable, "-m", "failure_destinations", "ui", "--stack", "Shop"]
        with (
            tempfile.TemporaryDirectory() as folder,
            subprocess.Popen(
                [*command, "--no-browser"],
                cwd=folder,
                env=os.environ | cloud.environment,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            ) as page,
        ):
            assert page.stderr is not None
            found = next(filter(None, (re.search(r"http://\S+", line) for line in page.stderr)))
            photograph(found[0], PICTURE)
            page.terminate()
    DIGEST.write_text(f"{digest()}\n")


if __name__ == "__main__":
    main()
