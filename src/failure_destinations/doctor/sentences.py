"""The sentence of each kind of finding, and the advice if no command fixes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from failure_destinations.text import plural

from . import event_source_sentences, kinds
from .findings import Finding
from .spans import listed, span

_WHERE = {
    "topic": "",
    "alarm topic": " to the alarm topic",
    "notifier's topic": " to the notifier's topic",
}


def _confirm(finding: Finding) -> str:
    # The name of a topic needs no quotes.
    # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    return (
        "Do not follow the link in the e-mail, but copy it and run failure-destinations confirm "
        f"--topic {finding.facts['topic_arn']}: then no link unsubscribes it"
    )


def _handler_destination(finding: Finding) -> str:
    facts = finding.facts
    if "durable" in facts:
        return (
            "is a durable function: Lambda sends its failures only to its dead-letter queue, which "
            "does not bring them to the channel"
        )
    if "forwarder" in facts:
        state = "does not exist" if facts["forwarder"] is None else "is disabled"
        return (
            "is a durable function: its failures wait in its dead-letter queue, because the event "
            f"source mapping that brings them to the channel {state}"
        )
    if not facts["configured"]:
        return "has no asynchronous configuration: Lambda drops its failed events"
    if facts["destination"] is None:
        return "has no failure destination: Lambda drops its failed events"
    if not facts["is_channels"]:
        return f"its failed events go to {facts['destination']}, not to the channel"
    return f"its failed events go to {facts['destination']}, which does not exist"


def _attach_durable(finding: Finding) -> str:
    if "forwarder" in finding.facts:
        return "remove the function from the channel, deploy, attach it again, and deploy"
    return "attach it with notify_failures_of of this version of the library, and deploy"


def _handler_copies(finding: Finding) -> str:
    if finding.facts["target"] is not None:
        return f"its dead-letter queue is {finding.facts['target']}, not the channel's copy queue"
    return (
        "has no dead-letter queue of its own: the payload of a record over 256 KB, and a record "
        "that Lambda cannot send to the topic, are lost"
    )


def _handler_permission(finding: Finding) -> str:
    return (
        f"its role lacks {listed(finding.facts['actions'])} for the topic: Lambda drops the records"
    )


def _handler_copy_permission(finding: Finding) -> str:
    lacks = f"its role lacks {listed(finding.facts['actions'])} for the copy queue"
    return f"{lacks}: no copies are kept"


def _topic(finding: Finding) -> str:
    return "CloudWatch may publish to it" if finding.subject.noun == "alarm topic" else "exists"


def _topic_missing(finding: Finding) -> str:
    if finding.subject.noun == "topic":
        return "the topic does not exist: Lambda drops every record"
    if finding.subject.noun == "notifier's topic":
        return "the notifier's topic does not exist: nobody is notified"
    return "the alarm topic does not exist: alarms go off, and nobody is notified"


def _replace_topic(finding: Finding) -> str:
    if finding.subject.noun == "topic":
        return "delete the stack's failure channel and deploy it again; its queues stay"
    if finding.subject.noun == "notifier's topic":
        return "give the notifier another id and deploy; each person confirms again"
    if finding.facts["own"]:
        return "give the monitoring another id and deploy; each person confirms again"
    return "give the monitoring another topic, or none, and deploy"


def _topic_fifo(finding: Finding) -> str:
    if finding.subject.noun == "topic":
        return "is a FIFO topic: Lambda cannot send failures to it"
    return "is a FIFO topic: no mailbox can subscribe to it"


def _replace_fifo(finding: Finding) -> str:
    noun = "channel" if finding.subject.noun == "topic" else "monitoring"
    return f"define the {noun} without this topic, and deploy"


def _nobody_subscribed(finding: Finding) -> str:
    if finding.subject.noun == "topic":
        return "only the queue is subscribed: people are notified by alarms, or not at all"
    if finding.subject.noun == "notifier's topic":
        return "nobody is subscribed to the notifier's topic: nobody is notified"
    return "nobody is subscribed to the alarm topic: alarms go off, and nobody is notified"


def _subscription(finding: Finding) -> str:
    facts = finding.facts
    if facts["of_queue"]:
        return "the queue is subscribed, raw, with a dead-letter queue"
    if facts["topic"] == "alarm topic":
        return f"{facts['protocol']} is confirmed, and notified of alarms"
    return f"{facts['protocol']} is confirmed, with a dead-letter queue"


def _subscription_deleted(finding: Finding) -> str:
    facts = finding.facts
    if facts["of_queue"]:
        return "is not subscribed: failed events do not reach the queue"
    where = _WHERE[str(facts["topic"])]
    if facts["is_mailbox"]:
        return (
            f"is not subscribed{where}: somebody unsubscribed it, or SNS deleted it unconfirmed. "
            f"{_confirm(finding)}"
        )
    return f"is not subscribed{where}: nobody is notified there"


def _subscription_pending(finding: Finding) -> str:
    facts = finding.facts
    of_what = " of alarms" if facts["topic"] == "alarm topic" else ""
    text = f"is not confirmed: nobody is notified{of_what} there, and SNS deletes it after 48 hours"
    if "peak" in facts:
        text += f". SNS may have suspended it, after {facts['peak']:,} messages within a minute"
    return f"{text}. {_confirm(finding)}" if facts["is_mailbox"] else text


def _subscription_by_link(_finding: Finding) -> str:
    return (
        "was confirmed by the link in the e-mail: whoever follows the link at the end of a later "
        "e-mail, such as a program that scans links, unsubscribes it"
    )


def _mail_storm(finding: Finding) -> str:
    if_ = "if more than 10 came within a second, " if finding.severity == "info" else ""
    return (
        f"published {finding.facts['peak']:,} messages within a minute of the last 3 days: {if_}"
        "SNS suspends the mailboxes, and deletes their subscriptions after 48 hours"
    )


def _stop_mail_storm(finding: Finding) -> str | None:
    if finding.severity == "info":
        return None
    if finding.subject.noun == "topic":
        return (
            "notify people by FailureMonitoring's alarms, which send one message, and not by "
            "emails="
        )
    if finding.subject.noun == "notifier's topic":
        return "publish nothing else to the notifier's topic"
    return "give FailureMonitoring a topic that nothing else publishes to"


def _queue(finding: Finding) -> str:
    senders = finding.facts["senders"]
    may = f"; {listed(senders)} may send to it" if senders else ""
    return f"the {finding.subject.noun} exists and {_keeps(finding)}{may}"


def _keeps(finding: Finding) -> str:
    return f"keeps a message for {span(finding.facts['retention'])}"


def _queue_missing(finding: Finding) -> str:
    lost = {
        "queue": "failed events are lost, except for their copies",
        "dead-letter queue": "what SNS or a schedule cannot deliver is lost",
        "copy queue": "no copies are kept, and the payload of a record over 256 KB is lost",
        "notifier's queue": "people are not notified",
        "notifier's dead-letter queue": "messages that the notifier cannot deliver are lost",
        "announcement queue": "failed batches stay in the bucket, and nobody is notified of them",
        "source dead-letter queue": "messages that keep failing are lost",
        "source queue": "its function gets no messages",
    }.get(finding.subject.noun, "what is parked is lost")
    return (
        f"the {finding.subject.noun} does not exist: {lost}. Run doctor again once you have "
        "created it"
    )


def _queue_policy(finding: Finding) -> str:
    service = finding.facts["service"]
    return f"the policy of the {finding.subject.noun} does not let {service} send to it"


def _key_policy(finding: Finding) -> str:
    facts = finding.facts
    return f"is encrypted with {facts['key']}, whose policy does not let {facts['service']} use it"


def _retention_shortened(finding: Finding) -> str:
    declared = span(finding.facts["declared"])
    return f"the {finding.subject.noun} {_keeps(finding)}, and was deployed with {declared}"


def _retention_short(finding: Finding) -> str:
    return f"the {finding.subject.noun} {_keeps(finding)}, less than SQS's default of 4 days"


def _events_expire(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"the oldest message of the {finding.subject.noun} has waited {span(facts['age'])}; SQS "
        f"deletes it after {span(facts['retention'])}. Messages that were received three times "
        "may be older: SQS leaves them out"
    )


def _waiting(text: str) -> Callable[[Finding], str]:
    return lambda finding: f"{plural(finding.facts['count'], 'message')} {text}"


def _copies(finding: Finding) -> str:
    compared = finding.facts["compared"]
    if not compared:
        return "the copy queue is empty"
    return "the copy has its record" if compared == 1 else f"all {compared:,} copies have a record"


def _copies_lost(finding: Finding) -> str:
    facts = finding.facts
    why = "Lambda counted failed deliveries to the destination at that time"
    if facts["durable"]:
        why = "Lambda sends the failures of a durable function to its dead-letter queue only"
    elif facts["too_large"] == facts["count"]:
        one = facts["count"] == 1
        why = "its record is over SNS's limit" if one else "their records are over SNS's limit"
    were = "was" if facts["count"] == 1 else "were"
    return (
        f"{plural(facts['count'], 'event')} of {facts['function']} {were} lost on the way to the "
        f"queue: {why}. Only copies are left"
    )


def _copies_not_trusted(finding: Finding) -> str:
    facts = finding.facts
    known = [name for name in facts["sessions"] if name is not None]
    sessions = f" (sessions: {', '.join(known)})" if known else ""
    count = f"{facts['count']:,} {'copy was' if facts['count'] == 1 else 'copies were'}"
    return (
        f"{count} not sent by the role of a handler of this channel{sessions}: do not trust such a "
        "copy. Somebody may have forged it, or its handler had another role then. Find out who "
        "sent it before you replay it"
    )


def _copies_without_record(finding: Finding) -> str:
    count = finding.facts["count"]
    noun = "copy of an event that is" if count == 1 else "copies of events that are"
    return f"{count:,} {noun} not in the queue: replayed, or removed"


def _copies_not_compared(finding: Finding) -> str:
    facts = finding.facts
    if facts["quick"]:
        return (
            f"{plural(facts['copies'], 'message')} in the copy queue, and {facts['records']:,} in "
            "the queue; not compared"
        )
    return (
        f"{facts['drained_by']} drains the queue, and receiving from it would count as one of its "
        "attempts: only the size of the copies was judged"
    )


def _alarms(finding: Finding) -> str:
    count = finding.facts["count"]
    return "its alarm exists" if count == 1 else f"its {count} alarms exist"


def _alarm_muted(finding: Finding) -> str:
    if "not_offered_by" in finding.facts:
        return (
            "whether a mute rule mutes its alarms was not checked: "
            f"{finding.facts['not_offered_by']} knows no mute rules"
        )
    rule = finding.facts["rule"]
    when = f"{rule.schedule} for {rule.duration}"
    if rule.active:
        return f"mute rule {rule.name!r} mutes it ({when}): it goes off, and nobody is notified"
    return f"mute rule {rule.name!r} will mute it ({when}): nobody is notified then"


def _unmute(finding: Finding) -> str | None:
    if finding.severity == "info":
        return None
    return f"take the alarm out of mute rule {finding.facts['rule'].name!r}, which mutes others too"


def _alarm_ringing(finding: Finding) -> str:
    since, description = finding.facts["since"], finding.facts["description"]
    text = "is in state ALARM"
    if isinstance(since, datetime):
        text += f" since {since.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    what = description.partition(". ")[0]
    return f"{text}: {what}" if what else text


def _webhook_secret(finding: Finding) -> str:
    facts = finding.facts
    what = f"the {facts['store']} with its URL, {facts['name']},"
    if facts["state"] == "deleted":
        return f"{what} is scheduled for deletion: it gets no messages"
    if facts["state"] == "readable":
        return f"{what} is not a SecureString: whoever may read parameters can post"
    return f"{what} does not exist: it gets no messages"


def _store_again(finding: Finding) -> str:
    if finding.facts["state"] == "readable":
        return f"store {finding.facts['name']} again as a SecureString, and change the URL"
    return f"create the {finding.facts['store']} {finding.facts['name']} with the webhook's URL"


def _always(text: str) -> Callable[[Finding], str]:
    return lambda _: text


SENTENCES: Mapping[str, Callable[[Finding], str]] = {
    **event_source_sentences.SENTENCES,
    kinds.HANDLER.id: _always("its failed events go to the topic"),
    kinds.HANDLER_MISSING.id: _always("the function does not exist"),
    kinds.NO_HANDLERS.id: _always(
        "no function of this account and Region sends its failed events to it"
    ),
    kinds.HANDLER_DESTINATION.id: _handler_destination,
    kinds.HANDLER_PERMISSION.id: _handler_permission,
    kinds.HANDLER_COPIES.id: _handler_copies,
    kinds.HANDLER_COPY_PERMISSION.id: _handler_copy_permission,
    kinds.TOPIC.id: _topic,
    kinds.TOPIC_MISSING.id: _topic_missing,
    kinds.TOPIC_FIFO.id: _topic_fifo,
    kinds.TOPIC_POLICY.id: _always(
        "the alarm topic's policy does not let CloudWatch publish: nobody is notified of alarms"
    ),
    kinds.NOBODY_SUBSCRIBED.id: _nobody_subscribed,
    kinds.SUBSCRIPTION.id: _subscription,
    kinds.SUBSCRIPTION_DELETED.id: _subscription_deleted,
    kinds.SUBSCRIPTION_PENDING.id: _subscription_pending,
    kinds.SUBSCRIPTION_FILTER.id: _always(
        "has a filter policy: failed events that do not match it are lost"
    ),
    kinds.SUBSCRIPTION_NO_DEAD_LETTERS.id: _always(
        "has no dead-letter queue: what SNS cannot deliver to it is lost"
    ),
    kinds.SUBSCRIPTION_NOT_RAW.id: _always(
        "gets each record in SNS's envelope, not as Lambda wrote it"
    ),
    kinds.SUBSCRIPTION_BY_LINK.id: _subscription_by_link,
    kinds.MAIL_STORM.id: _mail_storm,
    kinds.QUEUE.id: _queue,
    kinds.QUEUE_MISSING.id: _queue_missing,
    kinds.QUEUE_POLICY.id: _queue_policy,
    kinds.QUEUE_FIFO.id: _always("is a FIFO queue: a standard topic cannot send to it"),
    kinds.KEY_OF_AWS.id: lambda finding: (
        f"is encrypted with {finding.facts['key']}, a key that {finding.facts['service']} may not "
        "use"
    ),
    kinds.KEY_POLICY.id: _key_policy,
    kinds.KEY_DISABLED.id: lambda finding: (
        f"is encrypted with {finding.facts['key']}, whose state is {finding.facts['state']}"
    ),
    kinds.RETENTION_SHORTENED.id: _retention_shortened,
    kinds.RETENTION_SHORT.id: _retention_short,
    kinds.EVENTS_EXPIRE.id: _events_expire,
    kinds.EVENTS_WAITING.id: _waiting("in the queue to be replayed"),
    kinds.DEAD_LETTERS.id: _waiting(
        "in the dead-letter queue: SNS or EventBridge could not deliver them"
    ),
    kinds.EVENTS_PARKED.id: _waiting("in the parked queue: their replay failed again and again"),
    kinds.REPLAYER.id: lambda finding: f"drains the queue of {finding.facts['channel']}",
    kinds.REPLAYER_OFF.id: _always("is switched off: failed events wait in the queue"),
    kinds.REPLAYER_PARKS_AT_ONCE.id: lambda finding: (
        f"will park {plural(finding.facts['count'], 'message')} of the queue after one failure: "
        "each receive, this one included, counts as an attempt, and its max_attempts is "
        f"{finding.facts['max_attempts']:,}"
    ),
    kinds.REPLAYER_MISSING.id: _always(
        "its event source mapping does not exist: nothing is replayed"
    ),
    kinds.COPIES.id: _copies,
    kinds.COPIES_LOST_ON_THE_WAY.id: _copies_lost,
    kinds.COPIES_NOT_TRUSTED.id: _copies_not_trusted,
    kinds.COPIES_WITHOUT_RECORD.id: _copies_without_record,
    kinds.COPIES_NOT_COMPARED.id: _copies_not_compared,
    kinds.ALARMS.id: _alarms,
    kinds.ALARM_MISSING.id: _always(
        "the alarm does not exist: nobody is notified of what it watches"
    ),
    kinds.ALARM_WITHOUT_ACTION.id: lambda finding: (
        f"goes off without notifying {listed(finding.facts['missing'])}, which the template names"
    ),
    kinds.ALARM_SILENCED.id: _always(
        "its actions are switched off: it goes off, and nobody is notified"
    ),
    kinds.ALARM_MUTED.id: _alarm_muted,
    kinds.ALARM_RINGING.id: _alarm_ringing,
    kinds.NOTIFIER.id: _always("reads its queue, and its schedule wakes it"),
    kinds.NOTIFIER_OFF.id: _always(
        "its event source mapping is disabled: records wait, and nobody is notified"
    ),
    kinds.NOTIFIER_ASLEEP.id: _always(
        "its schedule is disabled: digests and reminders wait until the next failure"
    ),
    kinds.NOTIFIER_MISSING.id: lambda finding: (
        f"its {finding.facts['what']} does not exist: people are not notified as they should be"
    ),
    kinds.NOTICES_UNDELIVERED.id: _waiting(
        "in the notifier's dead-letter queue: it could not count them, or a mailbox or webhook "
        "did not take them"
    ),
    kinds.WEBHOOK.id: lambda finding: (
        f"the notifier may read the {finding.facts['store']} with its URL"
    ),
    kinds.WEBHOOK_SECRET.id: _webhook_secret,
    kinds.WEBHOOK_PERMISSION.id: lambda finding: (
        f"the notifier's role lacks {finding.facts['action']} for {finding.facts['name']}: it gets "
        "no messages"
    ),
}

_CONDITION = "depends on a condition that only AWS can judge"
NOT_JUDGED: Mapping[str, Callable[[Finding], str]] = {
    **event_source_sentences.NOT_JUDGED,
    kinds.TOPIC_POLICY.id: _always(
        f"whether CloudWatch may publish to the alarm topic {_CONDITION}"
    ),
    kinds.QUEUE_POLICY.id: lambda finding: (
        f"whether {finding.facts['service']} may send to the {finding.subject.noun} {_CONDITION}"
    ),
    kinds.KEY_POLICY.id: lambda finding: (
        f"whether {finding.facts['service']} may use {finding.facts['key']} {_CONDITION}"
    ),
    kinds.COPIES.id: lambda finding: (
        f"not all copies could be compared with what is in the queues: {finding.facts['gap']}"
    ),
}

# Without a command, because adding a statement would not help.
_POLICY_DENIES = _always("remove the statement of the policy that denies it")
_ROLE_DENIES = _always(
    "find the statement that denies it: in the role's policies, its permissions boundary, or a "
    "policy of the organization"
)
ADVICE: Mapping[str, Callable[[Finding], str | None]] = {
    **event_source_sentences.ADVICE,
    kinds.HANDLER_DESTINATION.id: _attach_durable,
    kinds.HANDLER_MISSING.id: _always(
        "remove it from the stack and deploy, or deploy it again under another id"
    ),
    kinds.HANDLER_PERMISSION.id: _ROLE_DENIES,
    kinds.HANDLER_COPY_PERMISSION.id: _ROLE_DENIES,
    kinds.TOPIC_POLICY.id: _POLICY_DENIES,
    kinds.QUEUE_POLICY.id: _POLICY_DENIES,
    kinds.KEY_POLICY.id: _POLICY_DENIES,
    kinds.TOPIC_MISSING.id: _replace_topic,
    kinds.TOPIC_FIFO.id: _replace_fifo,
    kinds.SUBSCRIPTION_BY_LINK.id: lambda finding: (
        f"let the mailbox unsubscribe, and subscribe it again. {_confirm(finding)}"
    ),
    kinds.MAIL_STORM.id: _stop_mail_storm,
    kinds.QUEUE_FIFO.id: _always("define the channel without this queue, and deploy"),
    kinds.KEY_OF_AWS.id: lambda finding: (
        "deploy it with QueueEncryption.SQS_MANAGED, or encryption_key= of the channel"
        if finding.facts["service"] == "SNS"
        else "deploy it with a key of yours, or with none"
    ),
    kinds.KEY_DISABLED.id: _always("deploy it with another key: this one cannot be enabled"),
    kinds.REPLAYER_PARKS_AT_ONCE.id: lambda finding: (
        "before you switch it on, run failure-destinations replay, or deploy it with more than "
        f"max_attempts={finding.facts['max_attempts']}"
    ),
    kinds.REPLAYER_MISSING.id: lambda finding: (
        f"remove the replayer {finding.subject.name} from the stack, deploy, and add it again"
    ),
    kinds.NOTIFIER_MISSING.id: lambda finding: (
        f"remove the notifier {finding.subject.name} from the stack, deploy, and add it again; "
        "each person confirms again"
    ),
    kinds.WEBHOOK_SECRET.id: _store_again,
    kinds.WEBHOOK_PERMISSION.id: _ROLE_DENIES,
    kinds.ALARM_MISSING.id: _always(
        "switch its threshold off, deploy, switch it on again, and deploy"
    ),
    kinds.ALARM_MUTED.id: _unmute,
}
