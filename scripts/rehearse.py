"""Rehearses a release on this machine: `make rehearse`.

publib uploads to a package index on 127.0.0.1. A fresh environment installs from it, and deploys
the README's first example to an engine. Then come an upgrade and a repeated upload, which is
skipped. The installed package uses nothing from the checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from . import dist
from .check_release import version_of
from .release import UNRELEASED

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
FIRST_FAILURE = ROOT / "scripts" / "first_failure.py"
PUBLISH = ROOT / "scripts" / "publish.sh"
EXTRAS = ("cli", "node", "testing")
LOOPBACK = "127.0.0.1"
INDEX_START_SECONDS = 30
CHANGE = "### Changed\n\n- A change for the rehearsal.\n"


class RehearsalError(Exception):
    """Something in the release would not have worked."""


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"rehearsal {time.monotonic() - _STARTED:4.0f} s: {text}", flush=True)


def run(*command: str | Path, env: Mapping[str, str], cwd: Path) -> str:
    """Run a command and return what it printed.

    Raises:
        RehearsalError: The command failed; the message has its output.
    """
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RehearsalError(f"{Path(command[0]).name} failed:\n{ended.stdout}")
    return ended.stdout


@contextmanager
def package_index(folder: Path) -> Iterator[str]:
    """Run an empty package index on this machine and yield its address."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    url = f"http://{LOOPBACK}:{port}"
    # It asks for no password, and does not redirect to another index for what it lacks.
    options = ["-i", LOOPBACK, "-p", str(port), "-a", ".", "-P", ".", "--disable-fallback"]
    with (folder.parent / "index.log").open("w+", encoding="utf-8") as log:
        index = subprocess.Popen(
            [BIN / "pypi-server", "run", *options, folder], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + INDEX_START_SECONDS
            while not _answers(url):
                if index.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RehearsalError(f"the package index did not start:\n{log.read()}")
                time.sleep(0.1)
            yield url
        finally:
            index.terminate()
            index.wait()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"{url}/simple/", timeout=5).close()
    except OSError:
        return False
    return True


class Publisher:
    """Publishes as the release job does, but with a password and to this machine."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def publish(self, folder: Path, url: str) -> str:
        """Upload the files of a folder and return publib's output.

        Raises:
            RehearsalError: The address is not on this machine, or publib failed.
        """
        if urlsplit(url).hostname != LOOPBACK:
            raise RehearsalError(f"a rehearsal publishes to {LOOPBACK} only, got {url}")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYPI_", "TWINE_"))}
        env |= {
            "NO_PROXY": LOOPBACK,
            "PUBLISH_ENVIRONMENT": str(self.work / "publish"),
            "PYTHON": sys.executable,
            "TWINE_NON_INTERACTIVE": "1",
            "TWINE_PASSWORD": "none",
            "TWINE_REPOSITORY_URL": url,
            "TWINE_USERNAME": "none",
        }
        return run("sh", PUBLISH, folder, env=env, cwd=self.work)


class Stranger:
    """A user with an empty folder who installs from the index."""

    def __init__(self, work: Path, url: str) -> None:
        self.url = url
        self.bin = work / "stranger" / "bin"
        self.folder = work / "app"
        self.folder.mkdir()
        self.env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PIP_", "PYTHON", "JSII_", "VIRTUAL_ENV"))
        } | {"NO_PROXY": LOOPBACK, "PIP_CONFIG_FILE": os.devnull}
        run(sys.executable, "-m", "venv", work / "stranger", env=os.environ, cwd=work)
        # The dependencies come first, in the recorded versions, so that pip needs only the
        # rehearsal's index.
        extras = [part for extra in EXTRAS for part in ("--extra", extra)]
        install = ["pip", "install", "--quiet", "-r", "pyproject.toml", *extras]
        recorded = ["--constraint", "requirements/dev.txt"]
        python = ["--python", str(self.bin / "python")]
        run(BIN / "uv", *install, *recorded, *python, env=os.environ, cwd=ROOT)

    def install(self, version: str) -> None:
        """Install the newest version with pip; it must be this one."""
        self.run(
            "python",
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"),
            *("--upgrade", "--index-url", f"{self.url}/simple/"),
            f"failure-destinations[{','.join(EXTRAS)}]",
        )
        installed = self.run("failure-destinations", "--version").split()
        where = self.run("python", "-c", "import failure_destinations as f; print(f.__file__)")
        if installed != ["failure-destinations", version] or str(self.bin.parent) not in where:
            raise RehearsalError(f"{installed} from {where} is installed, not {version}")

    def run(self, program: str, *arguments: str, **env: str) -> str:
        """Run a program of the environment in the folder and return its output."""
        return run(self.bin / program, *arguments, env=self.env | env, cwd=self.folder)

    def synthesise(self) -> dict[str, str]:
        """Run the app and return each resource's type by logical id."""
        node = "from failure_destinations.testing.node import find_node; print(find_node())"
        out = tempfile.mkdtemp(dir=self.folder)
        runtime = self.run("python", "-c", node).strip()
        self.run("python", "app.py", CDK_OUTDIR=out, JSII_NODE=runtime)
        template = json.loads((Path(out) / "Reports.template.json").read_text(encoding="utf-8"))
        return {id: resource["Type"] for id, resource in template["Resources"].items()}

    def run_without_installing(self, version: str) -> None:
        """Run the command as `uvx` does: straight from the index."""
        package = f"failure-destinations[cli]=={version}"
        command = ["tool", "run", "--index", f"{self.url}/simple/", "--from", package]
        uvx = run(
            BIN / "uv",
            *command,
            "failure-destinations",
            "--help",
            env=os.environ | {"NO_PROXY": LOOPBACK},
            cwd=self.folder,
        )
        if "replay" not in uvx:
            raise RehearsalError(f"uvx does not show the command:\n{uvx}")


def first_example() -> str:
    """Return the README's first Python block, a whole app."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    if block is None:
        raise RehearsalError("README.md has no Python block")
    return block[1]


def next_version(work: Path, sdist: Path) -> tuple[str, list[Path]]:
    """Release the next version from the contents of the sdist, and build it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "next")
    (project,) = (work / "next").iterdir()
    # A build takes the version from it, where there is one; a repository has none.
    (project / "PKG-INFO").unlink()
    changelog = project / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace(UNRELEASED, f"{UNRELEASED}\n{CHANGE}", 1), encoding="utf-8")
    major, minor, patch = version_of(project).split(".")
    version = f"{major}.{minor}.{int(patch) + 1}"
    env = os.environ | {"PYTHONPATH": str(project / "src")}
    run(sys.executable, "-m", "scripts.release", version, env=env, cwd=project)
    run(sys.executable, "-m", "scripts.dist", work / "second", env=env, cwd=project)
    return version, sorted((work / "second").iterdir())


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of each file in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def rehearse(work: Path) -> None:
    """Rehearse a release in an empty folder.

    Raises:
        RehearsalError: Something would not have worked.
    """
    version = version_of(ROOT)
    say(f"building {version}, and its successor from its sdist")
    _, sdist = dist.build(ROOT, work / "first")
    successor, _ = next_version(work, sdist)
    publisher = Publisher(work)
    with package_index(work / "index") as url:
        say(f"publishing {version} with publib to {url}")
        publisher.publish(work / "first", url)
        if hashes(work / "index") != hashes(work / "first"):
            raise RehearsalError("the index does not hold the files that were built")

        say("installing from it into a fresh environment")
        stranger = Stranger(work, url)
        stranger.install(version)
        stranger.run_without_installing(version)

        say("deploying the README's first example to an engine; replaying its failed event")
        (stranger.folder / "app.py").write_text(first_example(), encoding="utf-8")
        (stranger.folder / "cdk.json").write_text('{"app": "python3 app.py"}', encoding="utf-8")
        before = stranger.synthesise()
        # As text: with the file's folder on the path it would find what is beside it.
        stranger.run("python", "-c", FIRST_FAILURE.read_text(encoding="utf-8"))

        say(f"publishing {successor}, and upgrading to it")
        publisher.publish(work / "second", url)
        stranger.install(successor)
        if stranger.synthesise() != before:
            raise RehearsalError(f"{successor} defines other resources than {version}")

        say(f"publishing {successor} again, which is skipped")
        published = hashes(work / "index")
        said = publisher.publish(work / "second", url)
        if said.count("Skipping") != len(list((work / "second").iterdir())):
            raise RehearsalError(f"publib did not skip what is published:\n{said}")
        if hashes(work / "index") != published:
            raise RehearsalError("publishing again changed the index")
    say("done: nothing is left running")


def main() -> int:
    """Rehearse, and return exit status 1 if the release would not have worked."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as work:
        try:
            rehearse(Path(work).resolve())
        except RehearsalError as error:
            print(f"rehearsal: {error}", file=sys.stderr)
            return 1
    return 0


_STARTED = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
