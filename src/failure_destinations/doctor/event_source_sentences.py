"""The sentences about event source mappings, their failed batches and source queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from failure_destinations.text import plural

from . import event_source_kinds as kinds
from .findings import Finding
from .spans import listed, span


def _always(text: str) -> Callable[[Finding], str]:
    return lambda _: text


def _off(finding: Finding) -> str:
    reason = finding.facts["reason"]
    why = f" ({reason})" if reason else ""
    return f"is disabled{why}: nothing is read, and the source forgets what waits too long"


def _problem(finding: Finding) -> str:
    result = str(finding.facts["result"]).rstrip(".")
    if finding.severity == "info":
        return f"the last batch failed, and Lambda retries it as the mapping says: {result}"
    return f"does not work: {result}"


def _solve_problem(finding: Finding) -> str | None:
    if finding.severity == "info":
        return None
    function = finding.facts["function"]
    if finding.facts["kind"] == "kafka":
        return (
            "find the message in https://docs.aws.amazon.com/lambda/latest/dg/"
            "with-kafka-troubleshoot.html, and look at the cluster, its network and the role of "
            f"{function}"
        )
    return f"look at the source, and at what the role of {function} may do with it"


def _destination(finding: Finding) -> str:
    facts = finding.facts
    if facts["destination"] is None:
        return "has no failure destination: a batch that fails is lost"
    return f"sends failed batches to {facts['destination']}, not to {facts['declared']}"


def _permission(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"the function's role lacks {listed(facts['actions'])} for {facts['destination']}: Lambda "
        "drops failed batches"
    )


def _retries_forever(finding: Finding) -> str:
    retention = finding.facts["retention"]
    until = "until the stream forgets it"
    if retention is not None:
        until = f"for up to {span(retention)}, until the stream forgets it"
    return f"retries without limit: a batch that fails blocks its shard {until}"


def _metadata_only(finding: Finding) -> str:
    facts = finding.facts
    text = f"sends failed batches to {facts['destination']}, which gets only the records' positions"
    if facts["retention"] is None:
        return f"{text}. How long the source keeps the records is not known"
    kept = "" if facts["kept"] is None else f", and the queue the message for {span(facts['kept'])}"
    return f"{text}: the stream keeps the records for {span(facts['retention'])}{kept}"


def _lags(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"a batch of {facts['function']} was {span(facts['lag'])} old within the last hour; the "
        f"stream keeps records for {span(facts['retention'])}, and what it forgets before the "
        "function gets it is lost"
    )


def _bucket(finding: Finding) -> str:
    days = finding.facts["days"]
    kept = "keeps objects" if days is None else f"keeps objects for {span(days * 86_400)}"
    return f"{kept}, and announces them"


def _lifecycle(finding: Finding) -> str:
    facts = finding.facts
    days, kept, declared = facts["days"], facts["kept"], facts["declared"]
    text = f"deletes failed batches after {plural(days, 'day')}"
    if days < kept:
        return f"{text}, and the queue keeps their messages for {plural(kept, 'day')}"
    return f"{text}, and was deployed with {plural(declared, 'day')}"


def _missing(finding: Finding) -> str:
    what = finding.facts["what"]
    return f"the {what} does not exist: failed batches stay in the bucket, and nobody is notified"


def _announcements_off(finding: Finding) -> str:
    if finding.facts["what"] == "rule":
        return (
            "is disabled: failed batches stay in the bucket, and nobody is notified. What is "
            "written meanwhile is not announced later"
        )
    return "its event source mapping is disabled: announcements wait, and nobody is notified"


def _target(finding: Finding) -> str:
    if finding.facts["what"] == "target":
        return (
            "does not send to the announcement queue: failed batches stay in the bucket, and "
            "nobody is notified"
        )
    return "its target has no dead-letter queue: what EventBridge cannot deliver is lost"


def _read_log(finding: Finding) -> str:
    function = finding.facts.get("forwarder") or finding.subject.name
    return f"read the log of the function {function}, which says why"


def _redrive(finding: Finding) -> str:
    facts = finding.facts
    if not facts["of_queue"]:
        return "no queue moves messages to it: what keeps failing is lost after its retention"
    if facts["target"] is None:
        return (
            "has no dead-letter queue: a message that keeps failing is tried until its retention "
            "ends, and lost"
        )
    return f"moves messages that keep failing to {facts['target']}, not to the channel's queue"


def _visibility(finding: Finding) -> str:
    facts = finding.facts
    text = (
        f"hides a message for {span(facts['visibility'])}, and the function's timeout is "
        f"{span(facts['timeout'])}"
    )
    if finding.severity == "info":
        return f"{text}: AWS recommends {span(facts['wanted'])}"
    return f"{text}: a message is handled again while the function still works on it"


SENTENCES: Mapping[str, Callable[[Finding], str]] = {
    kinds.EVENT_SOURCE.id: _always("its failed batches go to the channel"),
    kinds.EVENT_SOURCE_MISSING.id: _always(
        "the event source mapping does not exist: the function gets nothing"
    ),
    kinds.EVENT_SOURCE_OFF.id: _off,
    kinds.EVENT_SOURCE_PROBLEM.id: _problem,
    kinds.EVENT_SOURCE_DESTINATION.id: _destination,
    kinds.EVENT_SOURCE_PERMISSION.id: _permission,
    kinds.EVENT_SOURCE_RETRIES_FOREVER.id: _retries_forever,
    kinds.EVENT_SOURCE_METADATA_ONLY.id: _metadata_only,
    kinds.EVENT_SOURCE_LAGS.id: _lags,
    kinds.BUCKET.id: _bucket,
    kinds.BUCKET_MISSING.id: _always(
        "the bucket does not exist: failed batches are lost. Run doctor again once you have "
        "created it"
    ),
    kinds.BUCKET_SILENT.id: _always(
        "does not send its events to EventBridge: failed batches stay in the bucket, and nobody is "
        "notified. What is written meanwhile is not announced later"
    ),
    kinds.BUCKET_POLICY.id: lambda finding: (
        "its policy denies the failed batches of "
        f"{listed(finding.facts['functions'])}: Lambda drops them"
    ),
    kinds.BUCKET_LIFECYCLE.id: _lifecycle,
    kinds.ANNOUNCEMENTS.id: _always("announces each failed batch, and the forwarder reads it"),
    kinds.ANNOUNCEMENTS_MISSING.id: _missing,
    kinds.ANNOUNCEMENTS_OFF.id: _announcements_off,
    kinds.ANNOUNCEMENTS_PATTERN.id: _always(
        "has another event pattern than in the template: it may leave failed batches out"
    ),
    kinds.ANNOUNCEMENTS_TARGET.id: _target,
    kinds.ANNOUNCEMENTS_WAIT.id: lambda finding: (
        f"{plural(finding.facts['count'], 'announcement')} in the announcement queue, the oldest "
        f"for {span(finding.facts['age'])}: nobody is notified of these failed batches"
    ),
    kinds.FORWARDER_FAILS.id: lambda finding: (
        f"failed {plural(finding.facts['count'], 'time')} within the last hour: after 5 tries an "
        "announcement goes to the channel's dead-letter queue"
    ),
    kinds.SOURCE_QUEUE.id: lambda finding: (
        "a function reads it, and a message goes to its dead-letter queue after "
        f"{plural(int(finding.facts['receives']), 'receive')}"
    ),
    kinds.SOURCE_QUEUE_REDRIVE.id: _redrive,
    kinds.SOURCE_QUEUE_DENIED.id: lambda finding: (
        f"may not use {finding.facts['dead_letters']}, by the RedriveAllowPolicy of that queue: "
        "messages that keep failing are not moved"
    ),
    kinds.SOURCE_QUEUE_UNREAD.id: _always(
        "no function reads it: its messages are deleted after its retention, and do not go to the "
        "dead-letter queue"
    ),
    kinds.SOURCE_QUEUE_VISIBILITY.id: _visibility,
    kinds.SOURCE_DEAD_LETTERS_RETENTION.id: lambda finding: (
        f"keeps a message for {span(finding.facts['retention'])}, and its source queue for "
        f"{span(finding.facts['source'])}: SQS counts from when the message was sent, and may "
        "delete it as soon as it is moved"
    ),
    kinds.SOURCE_DEAD_LETTERS.id: lambda finding: (
        f"{plural(finding.facts['count'], 'message')} of a source queue that the function could "
        "not handle"
    ),
}

NOT_JUDGED: Mapping[str, Callable[[Finding], str]] = {
    kinds.BUCKET_POLICY.id: lambda finding: (
        "whether its policy lets Lambda write the failed batches of "
        f"{listed(finding.facts['functions'])} depends on a condition that only AWS can judge"
    ),
}

ADVICE: Mapping[str, Callable[[Finding], str | None]] = {
    kinds.EVENT_SOURCE_MISSING.id: _always(
        "remove the event source from the stack, deploy, and add it again"
    ),
    kinds.EVENT_SOURCE_PROBLEM.id: _solve_problem,
    kinds.EVENT_SOURCE_PERMISSION.id: _always(
        "find the statement that denies it: in the role's policies, its permissions boundary, or "
        "a policy of the organization"
    ),
    kinds.EVENT_SOURCE_METADATA_ONLY.id: _always(
        "use channel.event_source_destination as on_failure of the event source, and deploy"
    ),
    kinds.EVENT_SOURCE_LAGS.id: _always(
        "find out what makes the function slow or fail; raise its parallelization factor or its "
        "concurrency, or the stream's retention"
    ),
    kinds.BUCKET_POLICY.id: _always("remove the statement of the policy that denies it"),
    kinds.ANNOUNCEMENTS_MISSING.id: lambda finding: (
        f"define the channel's {finding.facts['what']} again: remove event_source_destination "
        "from the stack, deploy, and add it again; the bucket stays"
    ),
    kinds.ANNOUNCEMENTS_TARGET.id: _always(
        "deploy the channel's dead-letter queue again, and run doctor again"
    ),
    kinds.ANNOUNCEMENTS_WAIT.id: _read_log,
    kinds.FORWARDER_FAILS.id: _read_log,
    kinds.SOURCE_QUEUE_REDRIVE.id: _always(
        "pass the queue to channel.dead_letter_queue_for and deploy, or delete the queue"
    ),
    kinds.SOURCE_QUEUE_UNREAD.id: _always(
        "add an SqsEventSource of the queue to its function, and deploy"
    ),
}
