"""`make demo`: run the tutorial's app on this machine, from the schedule to the failed event."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from failure_destinations.testing import LocalCloud, LocalCloudError, Mail, Message

EXAMPLES = Path(__file__).parents[1] / "examples"
ARTICLE = EXAMPLES / "article"
TEAM = EXAMPLES / "notified_team"
PAYLOAD = {"veryImportantData": "this should not be lost !!!"}
MOST_RUNS = 25
SCHEDULE_SECONDS = 90
SETTLE_SECONDS = 20
NOTICE_SECONDS = 90
FAILURES = 7


class Narrator:
    """Prints what happens with the seconds since the start, and a clock while waiting."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._next_line = 0.0

    def say(self, text: str = "") -> None:
        """Print one line."""
        clear = "\r\x1b[K" if self._live else ""
        print(f"{clear}{self._clock()}  {text}" if text else clear, flush=True)

    def waiting(self, what: str) -> None:
        """Show progress: a running clock in a terminal, otherwise a line every 10 seconds."""
        now = time.monotonic()
        if self._live:
            print(f"\r\x1b[K{self._clock()}  … {what}", end="", flush=True)
        elif now >= self._next_line:
            print(f"{self._clock()}  … {what}", flush=True)
            self._next_line = now + 10

    def _clock(self) -> str:
        return f"{time.monotonic() - self._started:5.0f} s"


def wait(
    narrator: Narrator, what: str, look: Callable[[], bool], seconds: float, every: float = 0.5
) -> bool:
    """Call `look` until it returns True or the time is over, and return its last answer."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        narrator.waiting(what)
        time.sleep(every)
    return seen


class Demo:
    """The deployed app, watched until one event has failed for good."""

    def __init__(self, cloud: LocalCloud, narrator: Narrator) -> None:
        self.cloud = cloud
        self.narrator = narrator
        narrator.say("deploying examples/article with the CDK CLI")
        outputs = cloud.deploy(ARTICLE)["Article"]
        self.function: str = outputs["FunctionName"]
        self.queue_url: str = outputs["QueueUrl"]

    def wait_for_schedule(self) -> None:
        """Wait until EventBridge Scheduler has started the handler."""
        if not wait(
            self.narrator,
            "waiting for the schedule, which fires every minute",
            lambda: bool(self.cloud.runs(self.function)),
            SCHEDULE_SECONDS,
        ):
            raise LocalCloudError(f"the schedule did not fire within {SCHEDULE_SECONDS} seconds")
        self.narrator.say("the schedule fired: the handler runs, and fails 4 times out of 5")

    def failed_for_good(self) -> list[Message]:
        """Wait until the current runs have ended, and return the failed events in the queue."""
        found: list[Message] = []
        last = time.monotonic()
        runs = self.cloud.runs(self.function)

        def look() -> bool:
            nonlocal found, last, runs
            found = self.cloud.messages(self.queue_url, count=0)
            now = self.cloud.runs(self.function)
            if now != runs:
                last, runs = time.monotonic(), now
            # A retry comes after a second here, where AWS waits a minute.
            return bool(found) or time.monotonic() - last > 6

        wait(self.narrator, "waiting for a retry, or the failed event", look, SETTLE_SECONDS)
        return found

    def run_until_failed(self) -> Message:
        """Invoke the handler, which fails at random, until an event has failed for good."""
        found = self.failed_for_good()
        for _ in range(MOST_RUNS):
            if found:
                return found[0]
            self.narrator.say("that event succeeded after all; invoking the handler once more")
            self.cloud.invoke(self.function, PAYLOAD)
            found = self.failed_for_good()
        raise LocalCloudError(f"{MOST_RUNS} events in a row succeeded, which cannot be chance")

    def mail_about(self, request_id: str) -> Mail | None:
        """Wait for the e-mail about a failed event."""
        mails: list[Mail] = []

        def look() -> bool:
            mails[:] = [m for m in self.cloud.mails(count=0) if request_id in (m.subject + m.body)]
            return bool(mails)

        wait(self.narrator, "waiting for the e-mail", look, SETTLE_SECONDS)
        return mails[0] if mails else None


def request_id_of(record: Mapping[str, Any]) -> str:
    """Return the id of the failed request, which ministack's records leave out."""
    return str(record.get("requestContext", {}).get("requestId", ""))


def show(demo: Demo, message: Message) -> None:
    """Print the failed event, how often the handler ran, and the e-mail."""
    record = message.json()
    request_id = request_id_of(record)
    runs = demo.cloud.runs(demo.function)
    mail = demo.mail_about(request_id)
    demo.narrator.say("an event has failed for good, and it is not lost")

    print("\nThe failed event in the queue:\n")
    print(json.dumps(record, indent=2, ensure_ascii=False))
    print(f"\nveryImportantData: {record['requestPayload']['veryImportantData']}")
    ran = runs.get(request_id, max(runs.values()))
    print(f"The handler ran {ran} times for this event (retries=1), {sum(runs.values())} in all.")
    if mail is None:
        raise LocalCloudError("no e-mail was sent")
    print(f"\nThe e-mail to {mail.to}: {mail.subject or '(no subject)'}\n")
    print(f"  {mail.body.strip()[:400]}\n")


def show_notice(cloud: LocalCloud, narrator: Narrator) -> None:
    """Let several events of a team's functions fail, and print the one e-mail about them."""
    narrator.say("a team gets one message about many failures: deploying examples/notified_team")
    outputs = cloud.deploy(TEAM)["NotifiedTeam"]
    for order in range(1, FAILURES + 1):
        cloud.invoke(outputs["OrderName"], {"order": order})
    mails: list[Mail] = []

    def look() -> bool:
        mails[:] = [mail for mail in cloud.mails(count=0) if "--stack NotifiedTeam" in mail.body]
        return bool(mails)

    if not wait(narrator, "waiting for the notifier", look, NOTICE_SECONDS):
        raise LocalCloudError("the notifier sent no e-mail")
    narrator.say(f"{FAILURES} orders failed")
    print(f"\nThe e-mail to {mails[0].to} came with the first failure. The next one comes after 15")
    print("minutes at the earliest, and counts all that failed meanwhile:\n")
    print("\n".join(f"  {line}" for line in mails[0].body.strip().splitlines()))
    print(
        "\nOn AWS: cd examples/article && npx aws-cdk@2 deploy, and confirm the subscription in the"
        " first e-mail.\nHere a retry came after a second; AWS waits a minute."
    )


def show_page(cloud: LocalCloud, narrator: Narrator) -> None:
    """Serve the operator's page with the demo's failures until Ctrl-C."""
    narrator.say("the operator's page shows these failures; Ctrl-C ends it")
    command = [sys.executable, "-m", "failure_destinations", "ui"]
    stacks = ["--stack", "Article", "--stack", "NotifiedTeam"]
    # The page gets Ctrl-C too, and ends by itself.
    with (
        subprocess.Popen([*command, *stacks], env=os.environ | cloud.environment) as page,
        suppress(KeyboardInterrupt),
    ):
        page.wait()


def main() -> int:
    """Run the demo; one line says what is wrong when it cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="open the operator's page at the end")
    parser.add_argument("--engine", default="best", choices=["best", "localemu", "ministack"])
    arguments = parser.parse_args()
    narrator = Narrator()
    narrator.say("starting an AWS emulator on this machine, which is installed first if necessary")
    try:
        with LocalCloud(engine=arguments.engine, progress=narrator.say) as cloud:
            narrator.say(f"{cloud.engine.name} {cloud.engine.version} runs at {cloud.url}")
            demo = Demo(cloud, narrator)
            demo.wait_for_schedule()
            show(demo, demo.run_until_failed())
            show_notice(cloud, narrator)
            if arguments.page:
                show_page(cloud, narrator)
            narrator.say("stopping the engine")
    except LocalCloudError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the engine has been stopped", file=sys.stderr)
        return 130
    narrator.say("done: nothing is left running")
    if not arguments.page:
        print("\nTo look at such failures in a browser, and replay them there: make demo PAGE=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
