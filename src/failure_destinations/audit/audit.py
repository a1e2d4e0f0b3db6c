"""The audit: asks an account for everything that calls functions, then judges as the check does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from failure_destinations.check import Finding

from .account import WORKERS, Account, RefusedError
from .actions import DESCRIBE_REGIONS, GET_CALLER_IDENTITY, LIST_FUNCTIONS
from .callers import CALLERS, read_buckets
from .concurrency import Task, run_concurrently
from .facts import find_in
from .functions import read_functions
from .inventory import Inventory
from .journal import Journal
from .metrics import Received, read_metrics

ALL = "all"

Progress = Callable[[str, int, int], None]
"""Gets what is done, such as `listing`, how much of it is done now, and how much there is."""


@dataclass
class Audit:
    """What an audit found.

    Attributes:
        account: The account's id.
        regions: The Regions.
        functions: How many functions there are.
        findings: The findings.
        requests: How many answers it needed.
        found: How many of them were in the file of an audit that had been stopped.
        is_blind: Whether functions could not be listed anywhere, so that nothing was audited.
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
        regions: The names of Regions, or `all` for those that are enabled.
        endpoint_url: Where every service is; None: AWS.
        all_versions: Whether to ask for the policy of every version, and not only of the newest.
        metrics: Whether to ask CloudWatch which functions received asynchronous events.
        progress: Is told how far it is.
    """

    session: Any
    regions: Sequence[str]
    endpoint_url: str | None = None
    all_versions: bool = False
    metrics: bool = False
    progress: Progress = lambda _what, _done, _total: None
    account: str = field(default="", init=False)
    _partition: str = field(default="aws", init=False)
    _home: str = field(default="", init=False)

    def begin(self) -> None:
        """Find out the account and the Regions.

        Raises:
            ClientError: There are no credentials, or not for this.
        """
        self._home = next((one for one in self.regions if one != ALL), "")
        self._home = self._home or self.session.region_name or "us-east-1"
        identity = self._client(GET_CALLER_IDENTITY.service).get_caller_identity()
        self.account = identity["Account"]
        self._partition = identity["Arn"].split(":")[1]
        if ALL in self.regions:
            answer = self._client(DESCRIBE_REGIONS.service).describe_regions()
            self.regions = [one["RegionName"] for one in answer["Regions"]]
        self.regions = tuple(dict.fromkeys(self.regions))

    @property
    def about(self) -> dict[str, Any]:
        """What makes it this audit and no other."""
        return {
            "account": self.account,
            "regions": sorted(self.regions),
            "endpoint": self.endpoint_url,
            "all versions": self.all_versions,
            "metrics": self.metrics,
        }

    def journal(self, path: Path) -> Journal:
        """Return the file of answers, with those of an audit that was stopped.

        Raises:
            JournalError: It cannot be used, or is of another audit.
        """
        return Journal(path, self.about)

    def run(self, journal: Journal) -> Audit:
        """Ask and judge.

        Args:
            journal: Where answers are kept; the caller closes it.

        Raises:
            ClientError: AWS does not go on, since credentials have expired, for example.
            JournalError: An answer cannot be kept.
        """
        account = Account(self.session, journal, self.endpoint_url)
        inventory = Inventory(self.account, self._partition, tuple(self.regions))
        later: dict[str, list[Task]] = {region: [] for region in ("", *self.regions)}
        self._run(account, "listing", self._lists(account, inventory, later))
        # By turns, since each Region has limits of its own.
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
        """Yield a task for each list; what is to be asked for each of its items comes later."""

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

    def _client(self, service: str) -> Any:
        return self.session.client(service, region_name=self._home, endpoint_url=self.endpoint_url)


def _unless_refused(task: Task) -> None:
    try:
        task()
    except RefusedError:
        # It is among the account's refusals.
        return
