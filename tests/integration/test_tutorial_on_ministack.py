"""The tutorial, followed to the letter in an empty folder, up to its deployment to AWS."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from failure_destinations.testing.node import find_node

pytestmark = [pytest.mark.integration, pytest.mark.soak]

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PROMPT = "The emulator runs until you press Enter here. "


def section(heading: str) -> str:
    """Return the text of a section as a reader sees it."""
    text = re.sub(r"<!---.*?-->", "", TUTORIAL.read_text(), flags=re.DOTALL)
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def code(heading: str) -> str:
    """Return the Python code of a section."""
    return "\n".join(re.findall(r"```python\n(.*?)```", section(heading), re.DOTALL))


class Tutorial(NamedTuple):
    """A folder in which `python try_it.py` has printed its last line and waits for Enter."""

    folder: Path
    printed: str

    def run(self, command: str) -> str:
        """Run a command of the page in the second terminal, and return what it printed."""
        program, *arguments = command.split()
        programs = {
            "failure-destinations": [sys.executable, "-m", "failure_destinations"],
            # The same program, already installed.
            "npx": [str(ROOT / "node_modules" / ".bin" / "cdk")],
        }
        if program == "npx":
            assert arguments.pop(0) == "aws-cdk@2"
        ended = subprocess.run(
            [*programs[program], *arguments],
            check=False,
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def _environment(self) -> dict[str, str]:
        exported = dict(re.findall(r"^export (\w+)='(.*)'$", self.printed, re.MULTILINE))
        path = [str(Path(sys.executable).parent), str(find_node().parent), os.environ["PATH"]]
        return os.environ | exported | {"PATH": os.pathsep.join(path)}


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tutorial]:
    """Do what the page says, up to `python try_it.py` in the first terminal."""
    folder = tmp_path_factory.mktemp("reports")
    (echo,) = re.findall(r"^echo '(.*)' > cdk.json$", TUTORIAL.read_text(), re.MULTILINE)
    (folder / "cdk.json").write_text(echo)
    app = code("A handler that fails") + code("A schedule, one retry, a queue and an e-mail")
    (folder / "app.py").write_text(app)
    (folder / "try_it.py").write_text(code("See it fail, without AWS"))
    with subprocess.Popen(
        [sys.executable, "try_it.py"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as first_terminal:
        assert first_terminal.stdout is not None
        printed = ""
        while not printed.endswith(PROMPT) and (one := first_terminal.stdout.read(1)):
            printed += one
        yield Tutorial(folder, printed)
        first_terminal.communicate("\n")
        assert first_terminal.returncode == 0


def test_shows_the_failed_event_and_the_mail(tutorial: Tutorial) -> None:
    """The program prints what it does, the failed event and the mail, and waits."""
    assert tutorial.printed.endswith(PROMPT)
    assert "starting ministack" in tutorial.printed
    assert "'veryImportantData': 'report " in tutorial.printed
    mails = [line for line in tutorial.printed.splitlines() if line.startswith('{"requestContext"')]
    assert json.loads(mails[0])["requestPayload"]["veryImportantData"].startswith("report ")


def test_lists_fixes_and_replays(tutorial: Tutorial) -> None:
    """The commands of the next section work in a second terminal, as they are written."""
    text = section("Look, fix, replay")
    look, deploy, replay = re.findall(
        r"^(?:\$ )?((?:failure-destinations|npx) .*)$", text, re.MULTILINE
    )
    listed = tutorial.run(look)
    assert "no data yet" in listed
    messages = re.search(r"^(\d+) messages? in ", listed, re.MULTILINE)
    assert messages is not None
    assert "replace `0.8` with `0` in `app.py`" in text
    app = tutorial.folder / "app.py"
    app.write_text(app.read_text().replace("0.8", "0"))
    tutorial.run(deploy)
    replayed = tutorial.run(replay)
    assert re.search(r"^\d+ succeeded, deleted from the queue$", replayed, re.MULTILINE)
    assert "0 messages in" in tutorial.run(look)
