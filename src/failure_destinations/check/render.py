"""The sentences of all findings: what is wrong, and what fixes it.

`check` and `audit` share them in all formats: a format only places and escapes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .causes import Answer, Cause, Doubt, Flaw, Open, Problem, Refused
from .model import LATEST, Source
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
        "It belongs to AWS SAM, whose transform has not run: it is not known what it calls, or "
        "whether failures are kept"
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
    Refused.OTHER_SERVICE: "a resource of {0}",
    Flaw.NO_QUEUE_POLICY: "no queue policy lets {1} send to it",
    Flaw.KEY_OF_AWS: "{1} cannot use its key, alias/aws/sqs",
    Flaw.NO_KEY_POLICY: "the policy of its key {2} does not let {1} use the key",
    Flaw.NO_SUBSCRIPTION: "no template that was read subscribes to it",
    Doubt.CONDITIONAL_VALUE: "it is set only under a condition",
    Doubt.CONDITIONAL_CONFIG: "{0} exists only under the condition {1}",
    Doubt.VALUE_NOT_KNOWN: "{0} is not known",
    Doubt.TRANSFORMED: "a transform gives it properties",
    Doubt.DEFINED_ELSEWHERE: "it is not defined here",
    Doubt.QUALIFIER_NOT_KNOWN: "its qualifier is only known at deployment ({0})",
    Doubt.CONFIG_QUALIFIER_NOT_KNOWN: (
        "{0} is for a qualifier that is only known at deployment ({1})"
    ),
    Doubt.NOT_ALLOWED: "{0} is not allowed",
    Doubt.QUALIFIER_MISSING: "no version or alias {0} of it was found",
    Problem.NOT_KEPT: (
        "{It} is {how_async} {callers}{through}, and has neither a failure destination nor a "
        "dead-letter queue: an event whose last attempt fails is lost"
    ),
    Problem.DURABLE_NOT_KEPT: (
        "{It} is {how_async} {callers}{through}, and has no dead-letter queue: it is a durable "
        "function, of which Lambda sends no failures to a destination, so an event whose execution "
        "fails is lost"
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
        "failure shows as a failed deployment or execution, after a time-out, and the event is "
        "not kept"
    ),
    Problem.IN_DOUBT: (
        "{It} is {how} {callers}, and it is not known whether its failures are kept: {why}"
    ),
    Problem.WAITS_UNKNOWN: (
        "{It} is called by {callers}, and it is not known whether the caller waits for the answer. "
        "If it does not, failures are lost"
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
    Doubt.TRANSFORMED: "properties changed by a transform",
    Doubt.DEFINED_ELSEWHERE: "function defined elsewhere",
    Doubt.QUALIFIER_NOT_KNOWN: "qualifier known at deployment only",
    Doubt.CONFIG_QUALIFIER_NOT_KNOWN: "configuration's qualifier known at deployment only",
    Doubt.NOT_ALLOWED: "request not allowed",
    Doubt.QUALIFIER_MISSING: "version or alias not found",
    Problem.WAITS_UNKNOWN: "not known whether the caller waits",
}
_OUTCOMES = {"OnFailure": "failures", "OnSuccess": "successes"}


class _FixTexts(NamedTuple):
    # Placeholders, from the finding's Fix: {function}, {reference}, {qualifier}, {retries},
    # {receiver} and {sender}.
    cdk: str
    cloudformation: str


_ATTACH = "channel.notify_failures_of({function}), with channel = FailureChannel(…)"
_CONFIG = (
    "AWS::Lambda::EventInvokeConfig with {{FunctionName: {reference}, Qualifier: {qualifier}, "
)
_DESTINATION = "DestinationConfig: {{OnFailure: {{Destination: !GetAtt Queue.Arn}}}}"
_STATEMENT = (
    "{{Effect: Allow, Principal: {{Service: {sender}}}, Action: %s, Resource: %s, "
    "Condition: {{StringEquals: {{aws:SourceAccount: !Ref AWS::AccountId}}}}}}"
)
_FIXES = {
    Remedy.ATTACH_DESTINATION: _FixTexts(_ATTACH, _CONFIG + _DESTINATION + "}}"),
    Remedy.REPLACE_FAILURE_DESTINATION: _FixTexts(
        f"{_ATTACH}, in place of on_failure",
        "OnFailure: {{Destination: !GetAtt StandardQueue.Arn}}",
    ),
    Remedy.REPLACE_SUCCESS_DESTINATION: _FixTexts(
        "on_success=SqsDestination(queue), with a standard queue",
        "OnSuccess: {{Destination: !GetAtt StandardQueue.Arn}}",
    ),
    Remedy.REPLACE_DEAD_LETTER_QUEUE: _FixTexts(
        f"{_ATTACH}, in place of dead_letter_queue",
        "DeadLetterConfig: {{TargetArn: !GetAtt StandardQueue.Arn}}",
    ),
    Remedy.ADD_DEAD_LETTER_QUEUE: _FixTexts(
        "dead_letter_queue=queue where {function} is defined, with a standard queue",
        "DeadLetterConfig: {{TargetArn: !GetAtt StandardQueue.Arn}}; in AWS SAM, "
        "DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt StandardQueue.Arn}}",
    ),
    Remedy.KEEP_UNDELIVERED_MESSAGES: _FixTexts(
        "LambdaSubscription(function, dead_letter_queue=queue)",
        "RedrivePolicy: {{deadLetterTargetArn: !GetAtt Queue.Arn}} on an AWS::SNS::Subscription",
    ),
    Remedy.KEEP_UNDELIVERED_SCHEDULES: _FixTexts(
        "targets.LambdaInvoke(function, dead_letter_queue=queue)",
        "DeadLetterConfig: {{Arn: !GetAtt Queue.Arn}} on the target",
    ),
    Remedy.KEEP_UNDELIVERED_EVENTS: _FixTexts(
        "targets.LambdaFunction(function, dead_letter_queue=queue)",
        "DeadLetterConfig: {{Arn: !GetAtt Queue.Arn}} on the target",
    ),
    Remedy.LET_SENDER_SEND: _FixTexts(
        "dead_letter_queue=queue on the target or subscription, with the Queue itself: CDK adds "
        "{sender} to its policy",
        "AWS::SQS::QueuePolicy with {{Queues: [!Ref {receiver}], PolicyDocument: {{Statement: ["
        + _STATEMENT % ("sqs:SendMessage", "!GetAtt {receiver}.Arn")
        + "]}}}}; in AWS SAM, DeadLetterConfig: {{Type: SQS}} on the event defines both",
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
    Remedy.SET_RETRIES: _FixTexts(
        "channel.notify_failures_of({function}, retries={retries})",
        _CONFIG + "MaximumRetryAttempts: {retries}}}",
    ),
}


def reason(finding: FindingParts) -> str:
    """Return what is wrong, in one or two sentences."""
    return f"{_phrase(finding.cause, finding)}."


def in_short(finding: FindingParts) -> str:
    """Return why a function or resource could not be judged, in a few words."""
    cause = finding.cause
    while cause.what not in _IN_SHORT and cause.why is not None:
        cause = cause.why
    return _IN_SHORT[cause.what]


def cdk_fix(finding: FindingParts) -> str:
    """Return the fix in CDK, in one line, or an empty text."""
    fix = finding.remedy
    return _filled(_FIXES[fix.remedy].cdk, fix) if fix else ""


def cloudformation_fix(finding: FindingParts) -> str:
    """Return the fix in a template, in one line, or an empty text."""
    fix = finding.remedy
    return _filled(_FIXES[fix.remedy].cloudformation, fix) if fix else ""


def shown(finding: FindingParts) -> str:
    """Return the function's displayed name; the resource's if the finding is not about one."""
    return finding.function or finding.resource.shown


def message(finding: FindingParts) -> str:
    """Return the function and what is wrong with it, for formats with a single text."""
    return f"{shown(finding)}: {reason(finding)}"


def fixes(finding: FindingParts) -> list[tuple[str, str]]:
    """Return each known fix with the place to make it: `CDK` or `template`."""
    if finding.remedy is None:
        return []
    return [("CDK", cdk_fix(finding)), ("template", cloudformation_fix(finding))]


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


def _filled(text: str, fix: Fix) -> str:
    name = fix.function.logical_id
    return text.format(
        function=_name_in_code(fix),
        reference=f"!Ref {name}" if fix.naming is Naming.IN_TEMPLATE else _last_part(name),
        qualifier="…" if fix.qualifier.startswith("?") else f"'{fix.qualifier}'",
        receiver=fix.receiver,
        sender=fix.sender,
        retries=fix.retries if fix.retries in ("0", "1", _MOST_RETRIES) else _MOST_RETRIES,
    )


def _name_in_code(fix: Fix) -> str:
    """Return a plausible variable name for the called function in the user's code."""
    name = ""
    if fix.naming is not Naming.IN_ACCOUNT:
        source = fix.function
        known_by = source.path.removesuffix("/Resource").rpartition("/")[2] or source.logical_id
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", _last_part(known_by))
        name = "_".join(word.lower() for word in words)
    if not name.isidentifier():
        name = "function"
    if fix.qualifier == LATEST:
        return name
    return f"{name}_{'version' if fix.qualifier.isdecimal() else 'alias'}"


def _last_part(arn: str) -> str:
    """Return the name at the end of a function's ARN, or a name as it is."""
    return arn.rpartition(":")[2]
