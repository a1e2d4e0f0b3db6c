"""Find the CDK CLI and run it against an engine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from failure_destinations.cache import cache_directory

from .environments import Progress, cached
from .errors import LocalCloudError, last_lines
from .node import find_node, npm_command
from .processes import Supervised, run

VERSION = "2.1148.1"
"""The CLI to install if the app has none. npm's newest, 3.0.0, is a different program."""

_PACKAGE = Path(__file__).with_name("npm")
_QUICK_POLLS = _PACKAGE / "quick_polls.cjs"
_EVENT = re.compile(
    r"^(?P<stack>\S+) \|[^|]*\|[^|]*\| (?P<status>\w+) +\| (?P<type>[\w:]+) +\| (?P<resource>.*)$"
)
_STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class App:
    """A CDK app in the form that the CLI needs.

    Attributes:
        name: Its name in messages.
        directory: The working directory of the CLI.
        option: The value of `--app`; None if `cdk.json` sets it.
    """

    name: str
    directory: Path
    option: str | None = None


def locate_app(app: Any, scratch: Path) -> App:
    """Return an app in the form that the CLI needs.

    Args:
        app: A folder with `cdk.json`, a cloud assembly, a Python file, or an `aws_cdk.App`.
        scratch: The working directory for an app without its own folder.

    Raises:
        LocalCloudError: It is none of these.
    """
    if hasattr(app, "synth"):
        return App("the app", scratch, app.synth().directory)
    if not isinstance(app, (str, os.PathLike)):
        raise LocalCloudError(_not_an_app(app))
    path = Path(app).absolute()
    if path.is_file() and path.suffix == ".py":
        return App(str(app), path.parent, shlex.join([sys.executable, str(path)]))
    if (path / "cdk.json").is_file():
        return App(str(app), path)
    if (path / "manifest.json").is_file():
        return App(str(app), scratch, str(path))
    raise LocalCloudError(_not_an_app(str(app)))


def _not_an_app(app: Any) -> str:
    return f"app must be a folder with cdk.json, a .py file or an aws_cdk.App, got {app!r}"


class CdkCli:
    """The CDK CLI for one engine.

    Args:
        environment: The `AWS_*` variables that make the CLI use the engine.
        scratch: A directory for its output and its own cache.
        progress: Gets a line about each resource.
        program: The CLI's script. Default: one that is found, or installed in the cache.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        scratch: Path,
        progress: Progress,
        program: Path | None = None,
    ) -> None:
        self._scratch = scratch
        self._progress = progress
        self._program = program
        self._environment = environment

    def bootstrap(self, account: str, region: str) -> None:
        """Bootstrap an account and Region for the CDK."""
        self._run("bootstrap", "the engine", self._scratch, [f"aws://{account}/{region}"])

    def deploy(
        self,
        app: App,
        *,
        stacks: Sequence[str],
        context: Mapping[str, str],
        parameters: Mapping[str, str],
    ) -> dict[str, dict[str, str]]:
        """Deploy stacks and return their outputs, by stack and key."""
        outputs = self._scratch / "outputs.json"
        outputs.unlink(missing_ok=True)
        # A deployment without a change set is 3 seconds faster.
        arguments = ["--require-approval", "never", "--progress", "events", "--method", "direct"]
        arguments += ["--outputs-file", str(outputs)]
        for name, value in parameters.items():
            arguments += ["--parameters", f"{name}={value}"]
        assembly = self._assembly(app, context)
        shutil.rmtree(assembly, ignore_errors=True)
        arguments += [*_of(app, stacks, context), "--output", str(assembly)]
        self._run("deploy", app.name, app.directory, arguments)
        written: dict[str, dict[str, str]] = json.loads(outputs.read_text(encoding="utf-8"))
        return written

    def destroy(self, app: App, *, stacks: Sequence[str], context: Mapping[str, str]) -> None:
        """Delete stacks, without synthesising an app again that was deployed before."""
        assembly = self._assembly(app, context)
        if (assembly / "manifest.json").exists():
            app = replace(app, option=str(assembly))
        arguments = ["--force", *_of(app, stacks, context), "--output", str(assembly)]
        self._run("destroy", app.name, app.directory, arguments)

    def _assembly(self, app: App, context: Mapping[str, str]) -> Path:
        key = repr((app.directory, app.option, sorted(context.items())))
        return self._scratch / f"cdk.out-{hashlib.sha256(key.encode()).hexdigest()[:10]}"

    def _run(self, verb: str, what: str, directory: Path, arguments: list[str]) -> None:
        node = find_node()
        program = self._program or find_cli(directory, node, self._progress)
        started = time.monotonic()
        self._progress(f"cdk {verb} {what}")
        command: list[str | Path] = [
            node,
            "--require",
            _QUICK_POLLS,
            program,
            verb,
            *arguments,
            "--no-notices",
            "--no-color",
            "--ci",
        ]
        # In its own session, and ended together with this process, like the engine itself.
        cli = Supervised(
            command,
            environment=self._cli_environment(node, program, directory),
            directory=directory,
            output=subprocess.PIPE,
        )
        lines: list[str] = []
        try:
            for line in cli.lines():
                lines.append(line.rstrip())
                if (event := _EVENT.match(lines[-1])) and "IN_PROGRESS" not in event["status"]:
                    self._progress("  {status} {type} {resource}".format(**event.groupdict()))
            status = cli.popen.wait()
        finally:
            cli.stop()
        if status:
            raise LocalCloudError(f"cdk {verb} {what} failed: {_reason(lines)}")
        self._progress(f"cdk {verb} {what} took {time.monotonic() - started:.1f} s")

    def _cli_environment(self, node: Path, program: Path, directory: Path) -> dict[str, str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        # Like npx in the app's folder, to find tools such as esbuild: without it, the CDK
        # bundles in Docker.
        tools = [
            str(modules / ".bin")
            for modules in _modules_of(directory, program.parent.parent.parent)
        ]
        path = [*tools, str(node.parent), environment.get("PATH", os.defpath)]
        if sys.prefix != sys.base_prefix:
            # `python` in a cdk.json means this environment's Python, activated or not.
            path.insert(0, str(Path(sys.executable).parent))
        environment.update(self._environment)
        environment.update(
            PATH=os.pathsep.join(path),
            JSII_NODE=str(node),
            # The CLI caches account ids by access key there, and all engines use the same account.
            CDK_HOME=str(self._scratch / "cdk-home"),
            CDK_DISABLE_CLI_TELEMETRY="true",
            TMPDIR=str(self._scratch),
        )
        return environment


def find_cli(directory: Path, node: Path, progress: Progress) -> Path:
    """Return the CLI's script: the app's own, or else the one on PATH or in the cache.

    Args:
        directory: The app's directory; `node_modules` is searched there and in its parents.
        node: The Node that runs npm.
        progress: Gets lines about the installation.

    Raises:
        LocalCloudError: There is none, and it cannot be installed.
    """
    for modules in _modules_of(directory):
        script = modules / "aws-cdk" / "bin" / "cdk"
        if _fits(script):
            return script
    if (on_path := shutil.which("cdk")) and _fits(Path(on_path).resolve()):
        return Path(on_path).resolve()

    def build(new: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            text = (_PACKAGE / name).read_text(encoding="utf-8")
            (new / name).write_text(text, encoding="utf-8")
        environment = dict(os.environ)
        environment["PATH"] = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
        command = [*npm_command(node), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        status, output = run(command, environment=environment, directory=new)
        if status:
            raise LocalCloudError(
                "npm could not install the CDK CLI; check that this machine reaches its npm "
                f"registry{last_lines(output)}"
            )

    script = Path("node_modules") / "aws-cdk" / "bin" / "cdk"
    place = cache_directory() / f"aws-cdk-{VERSION}"
    return cached(place, str(script), f"aws-cdk {VERSION} (30 MB)", build, progress) / script


def _modules_of(directory: Path, *more: Path) -> list[Path]:
    """Return the `node_modules` of a directory and its parents, nearest first, and then others."""
    own = [parent / "node_modules" for parent in (directory, *directory.parents)]
    return [*(modules for modules in own if modules.is_dir()), *more]


def _fits(script: Path) -> bool:
    """Return whether a script is a CDK CLI that can read the current aws-cdk-lib's output."""
    try:
        package = json.loads((script.parent.parent / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    version = tuple(int(part) for part in re.findall(r"\d+", package.get("version", ""))[:3])
    oldest = tuple(int(part) for part in VERSION.split("."))
    return package.get("name") == "aws-cdk" and oldest <= version < (3,)


def _of(app: App, stacks: Sequence[str], context: Mapping[str, str]) -> list[str]:
    arguments = [] if app.option is None else ["--app", app.option]
    for name, value in context.items():
        arguments += ["--context", f"{name}={value}"]
    return [*arguments, *(stacks or ["--all"])]


def _reason(lines: Sequence[str]) -> str:
    """Return the failed resources with their reasons, and the end of the CLI's output."""
    failed = {
        f"{event['resource']} ({event['type']} in {event['stack']})": None
        for event in map(_EVENT.match, lines)
        if event and event["status"].endswith("_FAILED") and event["type"] != _STACK
    }
    sentence = "; ".join(failed) or "the end of its output says why"
    return sentence + last_lines("\n".join(lines))
