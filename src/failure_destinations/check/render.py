"""The sentences of all findings: what is wrong, and what fixes it.

`check` and `audit` share them in all formats: a format only places and escapes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .causes import Answer, Cause, Doubt, Flaw, Open, Problem, Refused
from .kinds import UNKNOWN
from .model import LATEST, Source, Tool
from .parts import FindingParts, Fix, Naming, Remedy

# The number of names that are listed; one more is listed if it is the last.
_LISTED = 3
# The maximum that Lambda allows.
_MOST_RETRIES = "2"

# {0} and {1} are names, {names} all of them, {why} the underlying cause.
_SENTENCES: dict[Open | Refused | Flaw | Doubt | Problem, str] = {
    Open.DOCUMENT_NOT_GIVEN: "It may call functions without waiting: its document was not given",
    Open.DEFINITION_FILE_MISSING: ("It may call functions: its definition file {0} does not exist"),
    Open.DEFINITION_IN_S3: "It may call functions: its definition is in S3",
    Open.DEFINITION_NOT_KNOWN: "It may call functions: its definition, {0}, is not known",
    Open.DEFINITION_NOT_READABLE: "It may call functions: its definition cannot be read",
    Open.CONTENT_NOT_READABLE: "It may call functions: its content cannot be read",
    Open.INPUT_NOT_READABLE: "It calls a function: its Input does not say which",
    Open.POLICY_DOCUMENT_NOT_KNOWN: "It may call a function: its PolicyDocument is not known",
    Open.TARGET_NOT_KNOWN: "It may call a function: {0} is not known",
    Open.CALLED_FUNCTION_NOT_KNOWN: "It calls a function that is not known: {0}",
    Open.CONFIGURED_FUNCTION_NOT_KNOWN: "It configures a function that is not known: {0}",
    Open.TRANSFORMED: "A transform gives it unknown properties",
    Open.NESTED_TEMPLATE_NOT_GIVEN: "It is a nested stack whose template was not given",
    Open.SAM_NOT_TRANSFORMED: (
        "It belongs to AWS SAM, and was not transformed: SAM rejects it, its defaults are in "
        "another template, or failure-destinations[sam] is not installed. It is not known what it "
        "calls, or whether failures are kept"
    ),
    Open.LOOP: "It creates unknown resources at deployment",
    Open.MACRO: "It may change any resource at deployment in unknown ways",
    Open.CALLED_FUNCTION_MISSING: "It calls function {0}, which does not exist",
    Open.NOT_ALLOWED: "Not known: {0}. {1} is {answers}",
    Refused.FIFO_QUEUE: "a FIFO queue",
    Refused.FIFO_TOPIC: "a FIFO topic",
    Refused.S3_BUCKET: "an S3 bucket",
    Refused.FUNCTION: "a function",
    Refused.EVENT_BUS: "an event bus",
    Refused.KAFKA_TOPIC: "a Kafka topic",
    Refused.OWN_TOPIC: "the topic that they come from",
    Refused.OTHER_SERVICE: "a resource of {0}",
    Refused.MISSING: "a resource that does not exist",
    Flaw.NO_QUEUE_POLICY: "no queue policy lets {1} send to it",
    Flaw.KEY_OF_AWS: "{1} cannot use its key, alias/aws/sqs",
    Flaw.NO_KEY_POLICY: "the policy of its key {2} does not let {1} use the key",
    Flaw.NO_SUBSCRIPTION: "no template that was read subscribes to it",
    Doubt.CONDITIONAL_VALUE: "it is set only under a condition",
    Doubt.CONDITIONAL_CONFIG: "{0} exists only under the condition {1}",
    Doubt.VALUE_NOT_KNOWN: "{0} is not known",
    Doubt.NOT_AN_ARN: "the name or URL of {0} is not an ARN, as !GetAtt {0}.Arn is",
    Doubt.TRANSFORMED: "a transform gives it properties",
    Doubt.DEFINED_ELSEWHERE: "it is not defined here",
    Doubt.QUALIFIER_NOT_KNOWN: "its qualifier is only known at deployment ({0})",
    Doubt.CONFIG_QUALIFIER_NOT_KNOWN: (
        "{0} is for a qualifier that is only known at deployment ({1})"
    ),
    Doubt.EVENT_SOURCE_NOT_KNOWN: "{0} may be any event source",
    Doubt.QUEUE_DEFINED_ELSEWHERE: "the queue {0} is not defined here",
    Doubt.REDRIVE_NOT_KNOWN: "its redrive policy, or whose dead letters it takes, is not known",
    Doubt.RETENTION_NOT_KNOWN: "how long {0} keeps what it gets is not known",
    Doubt.TIMEOUTS_NOT_KNOWN: (
        "the visibility timeout of {0}, or the function's timeout, is not known"
    ),
    Doubt.NOT_ALLOWED: "{0} is not allowed",
    Doubt.QUALIFIER_MISSING: "no version or alias {0} of it was found",
    Problem.NOT_KEPT: (
        "{It} is {how_async} {callers}{through}, and has neither a failure destination nor a "
        "dead-letter queue: an event whose last attempt fails is lost"
    ),
    Problem.DURABLE_NOT_KEPT: (
        "{It} is {how_async} {callers}{through}, and has no dead-letter queue: it is a durable "
        "function, whose failures Lambda sends to no destination, so an event whose execution "
        "fails is lost"
    ),
    Problem.DURABLE_UNQUALIFIED: (
        "{It} is called by {callers} without a version or alias: it is a durable function, and "
        "Lambda rejects each such invocation, so none of the events reaches it"
    ),
    Problem.TENANT_MISSING: (
        "{It} is called by {callers} without a tenant's id: it isolates tenants (TenancyConfig), "
        "and Lambda rejects each such invocation, so none of the events reaches it"
    ),
    Problem.KEPT_ELSEWHERE: (
        "{It} is {how_async} {callers} through {qualifier}, and has no failure destination there: "
        "the one for {names} does not get its failures"
    ),
    Problem.DESTINATION_REFUSED: (
        "The {0} destination of {the_function} is {1}, but Lambda cannot send {outcomes} to {why}"
    ),
    Problem.DEAD_LETTER_QUEUE_REFUSED: (
        "The dead-letter queue of {the_function} is {0}, but Lambda cannot send dead letters to "
        "{why}"
    ),
    Problem.NOT_DELIVERED: (
        "{callers} has no dead-letter queue: an event that cannot be delivered to {the_function}, "
        "for example for lack of permission, is lost"
    ),
    Problem.DELIVERY_QUEUE_REFUSED: (
        "The dead-letter queue of {callers} is {0}, and events cannot be sent to {why}: one that "
        "cannot be delivered to {the_function}, for example for lack of permission, is lost"
    ),
    Problem.DELIVERY_QUEUE_CLOSED: (
        "The dead-letter queue of {callers} is {0}, but {why}: an event that cannot be delivered "
        "to {the_function}, for example for lack of permission, is lost"
    ),
    Problem.TOPIC_UNHEARD: (
        "The failures of {the_function} go to topic {0}, but {why}: unless somebody has subscribed "
        "in another way, they are lost"
    ),
    Problem.DELIVERY_RETRIES: (
        "{callers} sets MaximumRetryAttempts to {0}, which counts deliveries to Lambda. Lambda's "
        "own retries of {the_function} are not set, so there are 2"
    ),
    Problem.ANSWER_AWAITED: (
        "{It} is called by {callers}, which waits for an answer, though not from the function: a "
        "failure shows as a failed deployment or execution, after a timeout, and the event is "
        "not kept"
    ),
    Problem.CALLER_DISABLED: (
        "{It} is called asynchronously by {callers}{through}, as soon as somebody enables the "
        "caller, and has neither a failure destination nor a dead-letter queue: from then on, an "
        "event whose last attempt fails is lost"
    ),
    Problem.ONLY_WAITING_CALLERS: (
        "{It} is configured for asynchronous calls by {callers}, without a failure destination, "
        "but every known caller waits for the answer: if another one does not, failures are lost"
    ),
    Problem.IN_DOUBT: (
        "{It} is {how} {callers}, and it is not known whether its failures are kept: {why}"
    ),
    Problem.WAITS_UNKNOWN: (
        "{It} is called by {callers}, and it is not known whether the caller waits for the answer. "
        "If it does not, failures are lost"
    ),
    Problem.MAPPING_UNQUALIFIED: (
        "{callers} reads {0} for {the_function} without a version or alias: it is a durable "
        "function, and Lambda rejects this, so nothing that is read reaches it"
    ),
    Problem.MAPPING_WITHOUT_TENANT: (
        "{callers} reads {0} for {the_function} without a tenant's id: it isolates tenants "
        "(TenancyConfig), and Lambda rejects each such invocation, so nothing that is read reaches "
        "it"
    ),
    Problem.BATCHES_DISCARDED: (
        "{callers} reads {0} for {the_function} and has no failure destination: Lambda discards a "
        "batch whose last retry fails, and its records are lost"
    ),
    Problem.RETRIES_ENDLESS: (
        "{callers} reads {0} for {the_function}, has no failure destination, and no limit of "
        "retries or age ends its retries before the records expire: a batch that keeps failing "
        "blocks its {1} until then, and is lost"
    ),
    Problem.SHARD_BLOCKED: (
        "{callers} reads {0} for {the_function}, and no limit of retries or age ends its retries "
        "before the records expire: a batch that keeps failing blocks its shard until then, and "
        "what waits behind it may expire before anything is sent to the failure destination"
    ),
    Problem.METADATA_ONLY: (
        "The failure destination of {callers} is queue {0}, which gets the positions of a failed "
        "batch's records in {1}, and not the records: {1} keeps them for {2}, and the queue keeps "
        "its messages for {3}"
    ),
    Problem.METADATA_ONLY_TO_TOPIC: (
        "The failure destination of {callers} is topic {0}, which gets the positions of a failed "
        "batch's records in {1}, and not the records: {1} keeps them for {2}"
    ),
    Problem.BATCH_DESTINATION_REFUSED: (
        "The failure destination of {callers} is {0}, but Lambda cannot send failed batches to "
        "{why}"
    ),
    Problem.NO_DESTINATION_FOR_SOURCE: (
        "{callers} has a failure destination, but Lambda sends no failures of {0} to one, and "
        "refuses such a mapping"
    ),
    Problem.BATCHES_UNHEARD: (
        "The failed batches of {callers} go to topic {0}, but {why}: unless somebody has "
        "subscribed in another way, they are lost"
    ),
    Problem.MAY_NOT_SEND: (
        "The failure destination of {callers} is {0}, but no policy that was read lets the role of "
        "{the_function} do {1}: Lambda cannot send a failed batch there"
    ),
    Problem.NOT_REDRIVEN: (
        "{callers} reads queue {0} for {the_function}, and the queue has no redrive policy: a "
        "message that keeps failing is lost after {1}"
    ),
    Problem.DEAD_LETTERS_EXPIRE: (
        "{callers} reads queue {2}, which keeps messages for {3}, and its dead-letter queue {0} "
        "for {1}: the age of a message counts from when it was sent to {2}, so one that fails for "
        "longer is lost"
    ),
    Problem.VISIBILITY_SHORT: (
        "{callers} reads queue {0}, whose visibility timeout is {1}, but the timeout of "
        "{the_function} is {2}: Lambda refuses to create such a mapping; in an existing one, a "
        "message is handled again before its first run has ended"
    ),
    Problem.VISIBILITY_TIGHT: (
        "{callers} reads queue {0}, whose visibility timeout is {1}, and the timeout of "
        "{the_function} is {2}: AWS recommends six times that{3}, which leaves time to retry a "
        "throttled batch"
    ),
    Problem.VISIBILITY_OF_EXECUTION: (
        "{callers} reads queue {0}, whose visibility timeout is {1}, and waits for a durable "
        "execution of {the_function}, which may last {2}: a message is then handled again while it "
        "still is"
    ),
    Problem.UNWATCHED: (
        "{callers} reads queue {1}, and nothing that was read has an alarm on its dead-letter "
        "queue {0} or reads it: unless somebody watches it in another way, its messages expire "
        "unseen"
    ),
    Problem.MAPPING_DISABLED: (
        "{callers} is disabled; as soon as somebody enables it, what it reads from {0} for "
        "{the_function} can be lost"
    ),
    Problem.MAPPING_IN_DOUBT: (
        "{callers} reads {0} for {the_function}, and it is not known whether what fails is kept: "
        "{why}"
    ),
}
# Why something could not be judged, for a summary: without names, so that findings share them.
_IN_SHORT: dict[Open | Refused | Flaw | Doubt | Problem, str] = {
    Open.DOCUMENT_NOT_GIVEN: "document not given",
    Open.DEFINITION_FILE_MISSING: "definition file missing",
    Open.DEFINITION_IN_S3: "definition in S3",
    Open.DEFINITION_NOT_KNOWN: "definition not known",
    Open.DEFINITION_NOT_READABLE: "definition not readable",
    Open.CONTENT_NOT_READABLE: "content not readable",
    Open.INPUT_NOT_READABLE: "input not readable",
    Open.POLICY_DOCUMENT_NOT_KNOWN: "policy document not known",
    Open.TARGET_NOT_KNOWN: "target not known",
    Open.CALLED_FUNCTION_NOT_KNOWN: "called function not known",
    Open.CONFIGURED_FUNCTION_NOT_KNOWN: "configured function not known",
    Open.TRANSFORMED: "properties changed by a transform",
    Open.NESTED_TEMPLATE_NOT_GIVEN: "nested template not given",
    Open.SAM_NOT_TRANSFORMED: "AWS SAM not transformed",
    Open.LOOP: "loop over resources",
    Open.MACRO: "macro",
    Open.CALLED_FUNCTION_MISSING: "called function does not exist",
    Open.NOT_ALLOWED: "request not allowed",
    Doubt.CONDITIONAL_VALUE: "destination set under a condition",
    Doubt.CONDITIONAL_CONFIG: "configuration exists under a condition",
    Doubt.VALUE_NOT_KNOWN: "destination not known",
    Doubt.NOT_AN_ARN: "destination not an ARN",
    Doubt.TRANSFORMED: "properties changed by a transform",
    Doubt.DEFINED_ELSEWHERE: "function defined elsewhere",
    Doubt.QUALIFIER_NOT_KNOWN: "qualifier known at deployment only",
    Doubt.CONFIG_QUALIFIER_NOT_KNOWN: "configuration's qualifier known at deployment only",
    Doubt.EVENT_SOURCE_NOT_KNOWN: "event source not known",
    Doubt.QUEUE_DEFINED_ELSEWHERE: "queue defined elsewhere",
    Doubt.REDRIVE_NOT_KNOWN: "redrive policy not known",
    Doubt.RETENTION_NOT_KNOWN: "retention of records not known",
    Doubt.TIMEOUTS_NOT_KNOWN: "visibility or function timeout not known",
    Doubt.NOT_ALLOWED: "request not allowed",
    Doubt.QUALIFIER_MISSING: "version or alias not found",
    Problem.WAITS_UNKNOWN: "not known whether the caller waits",
    Problem.ONLY_WAITING_CALLERS: "asynchronous configuration without asynchronous caller",
}
_EVENTBRIDGE = "events.amazonaws.com"
_OUTCOMES = {"OnFailure": "failures", "OnSuccess": "successes"}


class _FixTexts(NamedTuple):
    # Placeholders, from the finding's Fix: {function}, {reference}, {name}, {qualifier}, {retries},
    # {receiver}, {queue}, {seconds}, {sender}, {service}, {fifo}, {config}
    # and {caller}.
    cdk: str
    cloudformation: str
    # Default: as in CloudFormation.
    sam: str = ""


_CHANNEL = "with channel = FailureChannel(…)"
_ATTACH = f"channel.notify_failures_of({{function}}), {_CHANNEL}"
_CONFIG = (
    "AWS::Lambda::EventInvokeConfig with {{FunctionName: {reference}, Qualifier: {qualifier}, "
)
_DESTINATION = "DestinationConfig: {{OnFailure: {{Destination: !GetAtt Queue.Arn}}}}"
_SAM_DESTINATION = "DestinationConfig: {{OnFailure: {{Type: SQS}}}}"
_SAM_DEAD_LETTERS = "DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt StandardQueue.Arn}} on {name}"
_UNDELIVERED = "DeadLetterConfig: {{Arn: !GetAtt Queue.Arn}} on the target of {caller}"
_SAM_UNDELIVERED = "DeadLetterConfig: {{Type: SQS}} on {caller}"
_BATCHES = f"on_failure=channel.event_source_destination where {{caller}} is defined, {_CHANNEL}"
_BUCKET = "DestinationConfig: {{OnFailure: {{Destination: !GetAtt Bucket.Arn}}}}"
_SAM_BUCKET = "DestinationConfig: {{OnFailure: {{Type: S3, Destination: !GetAtt Bucket.Arn}}}}"
_TO_BUCKET = " on {caller}; and s3:PutObject and s3:ListBucket for the role of {name}"
_REDRIVE = "RedrivePolicy: {{deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 5}}"
# In place of the queue that SAM generates, whose properties cannot be set.
_OWN_QUEUE = (
    "SqsSubscription: {{QueueArn: !GetAtt Queue.Arn, QueueUrl: !Ref Queue}} on {caller}, with a "
    "Queue that has "
)
_STATEMENT = (
    "{{Effect: Allow, Principal: {{Service: {sender}}}, Action: %s, Resource: %s, "
    "Condition: {{StringEquals: {{aws:SourceAccount: !Ref AWS::AccountId}}}}}}"
)
_FIXES = {
    Remedy.ATTACH_DESTINATION: _FixTexts(
        _ATTACH,
        _CONFIG + _DESTINATION + "}}",
        f"EventInvokeConfig: {{{{{_SAM_DESTINATION}}}}} on {{name}}",
    ),
    Remedy.ADD_DESTINATION: _FixTexts(
        f"on_failure=channel.destination where {{config}} is defined, {_CHANNEL}",
        f"{_DESTINATION} on {{config}}",
        f"{_SAM_DESTINATION} in the {{config}}",
    ),
    Remedy.REPLACE_FAILURE_DESTINATION: _FixTexts(
        f"on_failure=channel.destination where {{config}} is defined, {_CHANNEL}",
        "OnFailure: {{Destination: !GetAtt StandardQueue.Arn}} on {config}",
        "OnFailure: {{Type: SQS, Destination: !GetAtt StandardQueue.Arn}} in the {config}",
    ),
    Remedy.REPLACE_SUCCESS_DESTINATION: _FixTexts(
        "on_success=SqsDestination(queue), with a standard queue",
        "OnSuccess: {{Destination: !GetAtt StandardQueue.Arn}} on {config}",
        "OnSuccess: {{Type: SQS, Destination: !GetAtt StandardQueue.Arn}} in the {config}",
    ),
    Remedy.REPLACE_DEAD_LETTER_QUEUE: _FixTexts(
        f"{_ATTACH}, in place of dead_letter_queue",
        "DeadLetterConfig: {{TargetArn: !GetAtt StandardQueue.Arn}} on {name}",
        _SAM_DEAD_LETTERS,
    ),
    Remedy.ADD_DEAD_LETTER_QUEUE: _FixTexts(
        "channel.notify_failures_of(alias), with the version or alias of {function} that callers "
        "invoke; or dead_letter_queue=queue where it is defined, with a standard queue",
        "DeadLetterConfig: {{TargetArn: !GetAtt StandardQueue.Arn}} on {name}",
        _SAM_DEAD_LETTERS,
    ),
    Remedy.CALL_ALIAS: _FixTexts(
        "pass {function}.add_alias('live') to the rule, schedule or subscription",
        "AWS::Lambda::Alias, and its !Ref in place of the function's ARN",
        "AutoPublishAlias: live on {name}",
    ),
    Remedy.READ_FOR_ALIAS: _FixTexts(
        "{function}.add_alias('live').add_event_source(…), in place of {function}",
        "AWS::Lambda::Alias, and its !Ref as the FunctionName of {caller}",
        "AutoPublishAlias: live on {name}",
    ),
    Remedy.PASS_TENANT: _FixTexts(
        "invoke {function} through a RestApi or a function that passes a tenant's id, or remove "
        "its tenancy_config",
        "invoke {name} through a REST API or a function that passes a tenant's id, or remove its "
        "TenancyConfig",
    ),
    Remedy.KEEP_UNDELIVERED_MESSAGES: _FixTexts(
        "LambdaSubscription(function, dead_letter_queue=queue)",
        "RedrivePolicy: {{deadLetterTargetArn: !GetAtt Queue.Arn}} on an AWS::SNS::Subscription",
        "RedrivePolicy: {{deadLetterTargetArn: !GetAtt Queue.Arn}} on {caller}",
    ),
    Remedy.KEEP_UNDELIVERED_SCHEDULES: _FixTexts(
        "targets.LambdaInvoke(function, dead_letter_queue=queue)", _UNDELIVERED, _SAM_UNDELIVERED
    ),
    Remedy.KEEP_UNDELIVERED_EVENTS: _FixTexts(
        "targets.LambdaFunction(function, dead_letter_queue=queue)", _UNDELIVERED, _SAM_UNDELIVERED
    ),
    Remedy.LET_SENDER_SEND: _FixTexts(
        "dead_letter_queue=queue on the target or subscription, with the Queue itself: CDK adds "
        "{sender} to its policy",
        "AWS::SQS::QueuePolicy with {{Queues: [!Ref {receiver}], PolicyDocument: {{Statement: ["
        + _STATEMENT % ("sqs:SendMessage", "!GetAtt {receiver}.Arn")
        + "]}}}}",
        "DeadLetterConfig: {{Type: SQS}} on {caller}, in place of Arn: SAM then defines the queue "
        "and its policy",
    ),
    Remedy.LET_SENDER_USE_KEY: _FixTexts(
        'key.grant(iam.ServicePrincipal("{sender}"), "kms:Decrypt", "kms:GenerateDataKey*")',
        "in the KeyPolicy of {receiver}: "
        + _STATEMENT % ("[kms:Decrypt, kms:GenerateDataKey*]", "'*'"),
    ),
    Remedy.REPLACE_KEY: _FixTexts(
        "sqs.Queue(…, encryption=sqs.QueueEncryption.SQS_MANAGED)",
        "SqsManagedSseEnabled: true on {receiver}, in place of KmsMasterKeyId",
    ),
    Remedy.SUBSCRIBE: _FixTexts(
        "topic.add_subscription(SqsSubscription(queue))",
        "AWS::SNS::Subscription with {{TopicArn: !Ref {receiver}, Protocol: sqs, "
        "Endpoint: !GetAtt Queue.Arn}}",
    ),
    Remedy.KEEP_BATCHES: _FixTexts(_BATCHES, _BUCKET + _TO_BUCKET, f"{_SAM_BUCKET} on {{caller}}"),
    Remedy.LIMIT_AND_KEEP_BATCHES: _FixTexts(
        f"retry_attempts=3, {_BATCHES}",
        f"MaximumRetryAttempts: 3 and {_BUCKET}{_TO_BUCKET}",
        f"MaximumRetryAttempts: 3 and {_SAM_BUCKET} on {{caller}}",
    ),
    Remedy.LIMIT_RETRIES: _FixTexts(
        "retry_attempts=3 where {caller} is defined", "MaximumRetryAttempts: 3 on {caller}"
    ),
    Remedy.KEEP_RECORDS: _FixTexts(
        f"{_BATCHES}: it keeps the records too",
        f"{_BUCKET}{_TO_BUCKET}: a bucket gets the records too",
        f"{_SAM_BUCKET} on {{caller}}: a bucket gets the records too",
    ),
    Remedy.LET_ROLE_SEND: _FixTexts(
        f"{_BATCHES}: it lets the role send",
        "{sender} for the role of {name}",
        "Type: {service} beside the Destination of {caller}: SAM then lets the role send",
    ),
    Remedy.REMOVE_DESTINATION: _FixTexts(
        "no on_failure where {caller} is defined", "no DestinationConfig on {caller}"
    ),
    Remedy.REDRIVE_INSTEAD: _FixTexts(
        f"channel.dead_letter_queue_for({{queue}}), {_CHANNEL}, in place of on_failure where "
        "{caller} is defined",
        _REDRIVE + " on the queue, in place of DestinationConfig on {caller}",
    ),
    Remedy.REDRIVE: _FixTexts(
        f"channel.dead_letter_queue_for({{queue}}), {_CHANNEL}",
        _REDRIVE + " on {receiver}{fifo}",
        _OWN_QUEUE + "a RedrivePolicy",
    ),
    Remedy.KEEP_DEAD_LETTERS: _FixTexts(
        "retention_period=cdk.Duration.seconds({seconds}) where {receiver} is defined",
        "MessageRetentionPeriod: {seconds} on {receiver}",
    ),
    Remedy.RAISE_VISIBILITY: _FixTexts(
        "visibility_timeout=cdk.Duration.seconds({seconds}) where {receiver} is defined",
        "VisibilityTimeout: {seconds} on {receiver}",
        _OWN_QUEUE + "VisibilityTimeout: {seconds}",
    ),
    Remedy.WATCH: _FixTexts(
        "{queue}.metric_approximate_number_of_messages_visible().create_alarm(…); or a queue of "
        f"channel.dead_letter_queue_for, {_CHANNEL}, which FailureMonitoring watches",
        "AWS::CloudWatch::Alarm with {{Namespace: AWS/SQS, MetricName: "
        "ApproximateNumberOfMessagesVisible, Dimensions: [{{Name: QueueName, Value: "
        "!GetAtt {receiver}.QueueName}}], Statistic: Maximum, Period: 60, EvaluationPeriods: 1, "
        "Threshold: 0, ComparisonOperator: GreaterThanThreshold}}",
    ),
    Remedy.SET_RETRIES: _FixTexts(
        "channel.notify_failures_of({function}, retries={retries})",
        _CONFIG + "MaximumRetryAttempts: {retries}}}",
        "EventInvokeConfig: {{MaximumRetryAttempts: {retries}}} on {name}",
    ),
    Remedy.ADD_RETRIES: _FixTexts(
        "retry_attempts={retries} where {config} is defined",
        "MaximumRetryAttempts: {retries} on {config}",
        "MaximumRetryAttempts: {retries} in the {config}",
    ),
}
# The fixes that let the function's role send too.
_LETS_ROLE_SEND = frozenset(
    {
        Remedy.KEEP_BATCHES,
        Remedy.LIMIT_AND_KEEP_BATCHES,
        Remedy.KEEP_RECORDS,
        Remedy.LET_ROLE_SEND,
    }
)


def reason(finding: FindingParts) -> str:
    """Return what is wrong, in one or two sentences."""
    said = f"{_phrase(finding.cause, finding)}."
    # A caller's name begins the sentence, and only those of SAM's events are words.
    is_words = any(caller.written_as for caller in finding.callers)
    return f"{said[0].upper()}{said[1:]}" if is_words else said


def in_short(finding: FindingParts) -> str:
    """Return why a function or resource could not be judged, in a few words."""
    cause = finding.cause
    while cause.what not in _IN_SHORT and cause.why is not None:
        cause = cause.why
    return _IN_SHORT[cause.what]


def not_judged(findings: Iterable[FindingParts]) -> dict[str, int]:
    """Return how many findings are `unknown`, by reason, the most frequent first.

    Each of them may hide an error.
    """
    unknown = (one for one in findings if one.kind == UNKNOWN.id)
    return dict(Counter(map(in_short, unknown)).most_common())


def not_judged_text(findings: Iterable[FindingParts]) -> str:
    """Return how much could not be judged, and why, in a sentence; empty if all was."""
    reasons = not_judged(findings)
    listed = "; ".join(f"{reason} ({number:,})" for reason, number in reasons.items())
    return f"Not judged: {listed}." if listed else ""


def cloudformation_fix(finding: FindingParts) -> str:
    """Return the fix in a template of CloudFormation or AWS SAM, in one line, or an empty text."""
    fix = finding.remedy
    if fix is None:
        return ""
    texts = _FIXES[fix.remedy]
    # For the rest, SAM has no words of its own.
    of_sam = fix.sender in ("", _EVENTBRIDGE) or fix.remedy is Remedy.LET_ROLE_SEND
    # With `Type`, SAM lets a role send that it generates itself, and no other.
    of_role = fix.remedy in _LETS_ROLE_SEND and not fix.has_role_of_sam
    has_words = fix.tool is Tool.SAM and of_sam and not of_role
    return _filled((texts.sam if has_words else "") or texts.cloudformation, fix)


def shown(finding: FindingParts) -> str:
    """Return the function's displayed name; the resource's if the finding is not about one."""
    return finding.function or finding.resource.shown


def message(finding: FindingParts) -> str:
    """Return the function and what is wrong with it, for formats with a single text."""
    return f"{shown(finding)}: {reason(finding)}"


def fixes(finding: FindingParts) -> list[tuple[str, str]]:
    """Return each known fix with what it is written in: `CDK`, `SAM` or `template`.

    A template that is not the CDK's has no fix in CDK. If it is not known what a function is
    written in, it has both.
    """
    fix = finding.remedy
    if fix is None:
        return []
    in_template = cloudformation_fix(finding)
    if fix.tool in (Tool.SAM, Tool.CLOUDFORMATION):
        return [(fix.tool.value, in_template)]
    return [
        (Tool.CDK.value, _filled(_FIXES[fix.remedy].cdk, fix, is_code=True)),
        (Tool.CLOUDFORMATION.value, in_template),
    ]


def _phrase(cause: Cause, finding: FindingParts) -> str:
    the_function = f"function {finding.function}" if finding.is_elsewhere else "the function"
    return _SENTENCES[cause.what].format(
        *cause.names,
        names=_listed(cause.names),
        why=_phrase(cause.why, finding) if cause.why else "",
        It=f"Function {finding.function}" if finding.is_elsewhere else "It",
        the_function=the_function,
        how="called by" if cause.is_called else "configured for asynchronous calls by",
        how_async="called asynchronously by"
        if cause.is_called
        else "configured for asynchronous calls by",
        callers=_callers(finding.callers),
        through="" if finding.qualifier == LATEST else f" through {finding.qualifier}",
        qualifier=finding.qualifier,
        outcomes=_OUTCOMES.get(cause.names[0], "") if cause.names else "",
        answers=_answers(cause.answers),
    )


def _callers(callers: Iterable[Source]) -> str:
    return _listed([f"{caller.shown} ({caller.type})" for caller in callers])


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 1:
        return "".join(names)
    if len(names) > _LISTED + 1:
        names = [*names[:_LISTED], f"{len(names) - _LISTED} more"]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _answers(answers: Iterable[Answer]) -> str:
    regions: dict[str, list[str]] = {}
    for one in answers:
        times = f" ({one.times:,} times)" if one.times > 1 else ""
        regions.setdefault(one.said, []).append(f"{one.region}{times}")
    return " and ".join(f"{said} in {', '.join(where)}" for said, where in regions.items())


def _filled(text: str, fix: Fix, *, is_code: bool = False) -> str:
    name = fix.function.logical_id
    return text.format(
        function=_name_in_code(fix),
        reference=f"!Ref {name}" if fix.naming is Naming.IN_TEMPLATE else _last_part(name),
        qualifier="…" if fix.qualifier.startswith("?") else f"'{fix.qualifier}'",
        name=_last_part(name),
        config=_named(fix.config, is_code=is_code) or "its EventInvokeConfig",
        caller=_named(fix.caller, is_code=is_code) or "the caller",
        receiver=fix.queue.shown if fix.queue is not None and is_code else fix.receiver,
        queue=_variable(fix.queue, "queue") if fix.queue is not None else "queue",
        seconds=fix.seconds,
        sender=fix.sender,
        fifo=", with DeadLetters a FIFO queue too" if fix.is_fifo else "",
        service=fix.sender.partition(":")[0].upper(),
        retries=fix.retries if fix.retries in ("0", "1", _MOST_RETRIES) else _MOST_RETRIES,
    )


def _named(source: Source | None, *, is_code: bool) -> str:
    """Return a resource's name in the user's code or in the template; empty for none."""
    if source is None:
        return ""
    return source.shown if is_code else source.written_as or source.logical_id


def _name_in_code(fix: Fix) -> str:
    """Return a plausible variable name for the called function in the user's code."""
    name = "function"
    if fix.naming is not Naming.IN_ACCOUNT:
        name = _variable(fix.function, "function")
    if fix.qualifier == LATEST:
        return name
    return f"{name}_{'version' if fix.qualifier.isdecimal() else 'alias'}"


def _variable(source: Source, default: str) -> str:
    """Return a plausible variable name for a resource in the user's code."""
    known_by = source.path.removesuffix("/Resource").rpartition("/")[2] or source.logical_id
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", _last_part(known_by))
    name = "_".join(word.lower() for word in words)
    return name if name.isidentifier() else default


def _last_part(arn: str) -> str:
    """Return the name at the end of a function's ARN, or a name as it is."""
    return arn.rpartition(":")[2]
