"""The start and the end of an engine: nothing is left, however the program ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from failure_destinations.testing import LocalCloud, LocalCloudError, running_engine
from failure_destinations.testing.engines import ENGINES

pytestmark = [pytest.mark.integration, pytest.mark.soak]

# A program with a running Lambda function, which ends as its arguments say.
PROGRAM = """\
import sys, time
from failure_destinations.testing import LocalCloud
from tests.testing.conftest import define_function

engine, ending = sys.argv[1:]

def begin(cloud):
    define_function(cloud, "busy", "import time\\ndef handler(e, c): time.sleep(60)")
    define_function(cloud, "done", "def handler(e, c): pass")
    cloud.invoke("busy")
    cloud.invoke("done")
    cloud.runs("done", count=1)
    print(cloud.url, flush=True)

if ending == "forgets":
    begin(LocalCloud(engine=engine).start())
else:
    with LocalCloud(engine=engine) as cloud:
        begin(cloud)
        if ending == "raises":
            raise RuntimeError
        if ending == "waits":
            time.sleep(600)
"""


def processes_of(state: str) -> list[str]:
    """Return the programs that have an engine's directory in their arguments or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if state.encode() in words:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def listening_addresses(state: str) -> set[str]:
    """Return the addresses that an engine and its children listen on, as /proc/net has them."""
    inodes: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if state.encode() in (process / "environ").read_bytes():
                for link in (process / "fd").iterdir():
                    # A file that is closed meanwhile is no reason to miss the others.
                    with suppress(OSError):
                        opened = str(link.readlink())
                        if opened.startswith("socket:["):
                            inodes.add(opened[8:-1])
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


class Started(NamedTuple):
    """The program, the address of its engine, and the directory of the engine's files."""

    process: subprocess.Popen[str]
    url: str
    state: Path

    def assert_gone(self, seconds: float) -> None:
        """Assert that soon no process, directory or listener of the engine is left."""
        deadline = time.monotonic() + seconds
        while processes_of(str(self.state)) or self.state.exists():
            assert time.monotonic() < deadline, (processes_of(str(self.state)), self.state)
            time.sleep(0.05)
        port = int(self.url.rpartition(":")[2])
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def program(engine: str, ending: str, folder: Path) -> Iterator[Started]:
    """Run the program, whose engine puts its files below a folder."""
    arguments = [sys.executable, "-c", PROGRAM, engine, ending]
    root = Path(__file__).parents[2]
    path = f"{root}{os.pathsep}{root / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)}
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        (state,) = folder.glob("failure-destinations-*")
        try:
            yield Started(process, url, state)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("engine", "ending"),
    [
        ("ministack", "raises"),
        pytest.param("ministack", "returns", marks=pytest.mark.soak),
        pytest.param("ministack", "forgets", marks=pytest.mark.soak),
        *(
            pytest.param("localemu", ending, marks=pytest.mark.soak)
            for ending in ("raises", "returns", "forgets")
        ),
    ],
)
def test_engine_is_gone_when_the_program_ends(engine: str, ending: str, tmp_path: Path) -> None:
    """When the program ends, even by an exception or without stop(), nothing is left."""
    with program(engine, ending, tmp_path) as started:
        started.process.wait(120)
        started.assert_gone(5)


@pytest.mark.parametrize(
    ("engine", "number"),
    [
        ("ministack", signal.SIGINT),
        ("ministack", signal.SIGKILL),
        pytest.param("ministack", signal.SIGTERM, marks=pytest.mark.soak),
        *(
            pytest.param("localemu", number, marks=pytest.mark.soak)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        ),
    ],
)
def test_engine_is_gone_when_the_program_is_killed(
    engine: str, number: signal.Signals, tmp_path: Path
) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL leave no process, directory or listener."""
    with program(engine, "waits", tmp_path) as started:
        assert processes_of(str(started.state))
        started.process.send_signal(number)
        started.process.wait(120)
        started.assert_gone(60)


@pytest.mark.parametrize("engine", ["localemu", "ministack"])
def test_only_loopback_is_listened_on(engine: str) -> None:
    """An engine cannot be reached from another machine."""
    running = running_engine.RunningEngine(ENGINES[engine], "eu-west-1", print)
    try:
        assert listening_addresses(str(running.place.state)) == {"0100007F"}
    finally:
        running.stop()


def test_two_clouds_run_at_once(ministack: LocalCloud) -> None:
    """A second engine has its own port and its own resources."""
    ministack.client("sqs").create_queue(QueueName="mine")
    with LocalCloud(engine="ministack") as other:
        assert other.url != ministack.url
        assert other.client("sqs").list_queues().get("QueueUrls", []) == []


def test_start_and_stop_may_be_repeated() -> None:
    """A second start or stop does nothing, and a stopped cloud starts afresh."""
    cloud = LocalCloud(engine="ministack")
    cloud.stop()
    assert cloud.start().url == cloud.start().url
    cloud.client("sqs").create_queue(QueueName="gone-later")
    cloud.stop()
    cloud.stop()
    with cloud:
        assert cloud.client("sqs").list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize("engine", ["ministack", pytest.param("localemu", marks=pytest.mark.soak)])
def test_a_port_that_was_taken_meanwhile_is_replaced(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When another program takes the port first, the engine starts on another one."""
    reserve_port = running_engine.reserve_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]

        def take_first() -> tuple[int, socket.socket]:
            return (ports.pop(), socket.socket()) if ports else reserve_port()

        monkeypatch.setattr(running_engine, "reserve_port", take_first)
        with LocalCloud(engine=engine) as cloud:
            assert ports == []
            assert cloud.client("sqs").list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize("engine", ["ministack", pytest.param("localemu", marks=pytest.mark.soak)])
def test_a_fresh_cloud_has_sent_no_mails(engine: str) -> None:
    """Before the first mail there are none."""
    with LocalCloud(engine=engine) as cloud:
        assert cloud.mails(count=0) == []


def test_rejects_use_when_not_running(create_cloud: Callable[[], LocalCloud]) -> None:
    """After stop, and so before start, the error says what to call."""
    with pytest.raises(LocalCloudError, match="not running; use it in a `with` block"):
        create_cloud().client("sqs")


@pytest.fixture
def create_cloud() -> Callable[[], LocalCloud]:
    """Make a cloud that was stopped."""

    def create() -> LocalCloud:
        cloud = LocalCloud(engine="ministack")
        cloud.start()
        cloud.stop()
        return cloud

    return create
