"""The audit: find what calls an account's functions, then apply the check's rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from failure_destinations.check import Finding
from failure_destinations.errors import without_password

from .account import WORKERS, Account, RefusedError
from .actions import LIST_FUNCTIONS
from .callers import CALLERS, read_buckets
from .concurrency import Task, run_concurrently
from .facts import find_in
from .functions import read_functions
from .inventory import Inventory
from .journal import Journal
from .metrics import Received, read_metrics

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_sts import STSClient

ALL = "all"

Progress = Callable[[str, int, int], None]
"""Called with a phase, such as `listing`, the number of steps just done, and the total."""


@dataclass
class Audit:
    """What an audit found.

    Attributes:
        account: The account's id.
        regions: The Regions.
        functions: The number of functions.
        findings: The findings.
        requests: The number of answers from AWS that it needed.
        found: How many of these came from the file of an interrupted audit.
        is_blind: Whether functions could not be listed in any Region: nothing was audited.
    """

    account: str
    regions: tuple[str, ...]
    functions: int
    findings: list[Finding]
    requests: int = 0
    found: int = 0
    is_blind: bool = False


@dataclass
class Auditor:
    """Audits the functions of an account in some Regions. It changes nothing.

    Args:
        session: A boto3 session.
        regions: The names of Regions, or `all` for every enabled one.
        endpoint_url: The address of every service. Default: AWS.
        all_versions: Whether to ask for the policy of every version, not only of the newest.
        metrics: Whether to ask CloudWatch which functions received asynchronous events.
        progress: Called as the audit proceeds.
    """

    session: boto3.Session
    regions: Sequence[str]
    endpoint_url: str | None = None
    all_versions: bool = False
    metrics: bool = False
    progress: Progress = lambda _what, _done, _total: None
    account: str = field(default="", init=False)
    _partition: str = field(default="aws", init=False)
    _home: str = field(default="", init=False)

    def begin(self) -> None:
        """Look up the account and its Regions.

        Raises:
            ClientError: AWS refuses, for example because a permission is missing.
            NoCredentialsError: No credentials were found.
        """
        self._home = next((one for one in self.regions if one != ALL), "")
        self._home = self._home or self.session.region_name or "us-east-1"
        sts: STSClient = self.session.client(
            "sts", region_name=self._home, endpoint_url=self.endpoint_url
        )
        identity = sts.get_caller_identity()
        self.account = identity["Account"]
        self._partition = identity["Arn"].split(":")[1]
        if ALL in self.regions:
            ec2 = self.session.client("ec2", region_name=self._home, endpoint_url=self.endpoint_url)
            self.regions = [one["RegionName"] for one in ec2.describe_regions()["Regions"]]
        self.regions = tuple(dict.fromkeys(self.regions))

    @property
    def about(self) -> dict[str, Any]:
        """Return the settings that a resumed audit must share with the interrupted one."""
        return {
            "account": self.account,
            "regions": sorted(self.regions),
            "endpoint": self.endpoint_url and without_password(self.endpoint_url),
            "all versions": self.all_versions,
            "metrics": self.metrics,
        }

    def journal(self, path: Path) -> Journal:
        """Open the file of answers, which may hold those of an interrupted audit.

        Raises:
            JournalError: It cannot be used, or belongs to another audit.
        """
        return Journal(path, self.about)

    def run(self, journal: Journal) -> Audit:
        """Query the account, then judge what was found.

        Args:
            journal: The file of answers; the caller closes it.

        Raises:
            ClientError: Any other request would fail too, for example because credentials
                have expired.
            JournalError: An answer cannot be written to the file.
        """
        account = Account(self.session, journal, self.endpoint_url)
        inventory = Inventory(self.account, self._partition, tuple(self.regions))
        later: dict[str, list[Task]] = {region: [] for region in ("", *self.regions)}
        self._run(account, "listing", self._lists(account, inventory, later))
        # Alternate between Regions, since each has its own rate limits.
        by_turns = itertools.chain.from_iterable(itertools.zip_longest(*later.values()))
        self._run(account, "asking", filter(None, by_turns))
        received: list[Received] = []
        if self.metrics:
            self._run(
                account,
                "counting",
                [
                    partial(read_metrics, account, inventory, region, received)
                    for region in self.regions
                ],
            )
        return Audit(
            account=self.account,
            regions=tuple(self.regions),
            functions=sum(map(len, inventory.functions.values())),
            findings=find_in(inventory, account.refusals, received),
            requests=journal.written,
            found=journal.found,
            is_blind=not inventory.functions and account.is_refused(LIST_FUNCTIONS, *self.regions),
        )

    def _lists(
        self, account: Account, inventory: Inventory, later: dict[str, list[Task]]
    ) -> Iterator[Task]:
        """Yield a task for each list; the tasks for its items go to `later`."""

        def collect(tasks: Iterator[Task], region: str) -> None:
            for task in tasks:
                later[region].append(task)

        yield partial(collect, read_buckets(account, inventory, self._home), "")
        for region in self.regions:
            functions = read_functions(account, inventory, region, all_versions=self.all_versions)
            yield partial(collect, functions, region)
            for reads in CALLERS.values():
                yield partial(collect, reads(account, inventory, region), region)

    def _run(self, account: Account, what: str, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        run_concurrently(
            (partial(_unless_refused, task) for task in tasks),
            WORKERS,
            lambda done: self.progress(what, done, len(tasks)),
            account.stop,
        )


def _unless_refused(task: Task) -> None:
    try:
        task()
    except RefusedError:
        # It is recorded in the account's refusals.
        return
