"""Every sentence of a finding, written once: what is wrong, and what fixes it.

`check` and `audit` say the same, in each format: a format decides where a sentence stands and how
it is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .causes import Answer, Cause, Doubt, Open, Problem, Refused
from .model import LATEST, Source
from .parts import FindingParts, Fix, Naming, Remedy

# As many names are listed, and one more where that is the last.
_LISTED = 3
# Lambda's maximum.
_MOST_RETRIES = "2"

# {0} and {1} are names, {names} all of them, {why} what is behind it.
_SENTENCES: dict[Open | Refused | Doubt | Problem, str] = {
    Open.DOCUMENT_NOT_GIVEN: "It may call functions without waiting: its document was not given",
    Open.DEFINITION_FILE_MISSING: ("It may call functions: its definition file {0} is not there"),
    Open.DEFINITION_IN_S3: "It may call functions: its definition is in S3",
    Open.DEFINITION_NOT_KNOWN: "It may call functions: its definition, {0}, is not known",
    Open.DEFINITION_NOT_READABLE: "It may call functions: its definition cannot be read",
    Open.CONTENT_NOT_READABLE: "It may call functions: its content cannot be read",
    Open.INPUT_NOT_READABLE: "It calls a function: its Input does not say which",
    Open.POLICY_DOCUMENT_NOT_KNOWN: "It may call a function: its PolicyDocument is not known",
    Open.TARGET_NOT_KNOWN: "It may call a function: {0} is not known",
    Open.CALLED_FUNCTION_NOT_KNOWN: "It calls a function that is not known: {0}",
    Open.CONFIGURED_FUNCTION_NOT_KNOWN: "It configures a function that is not known: {0}",
    Open.TRANSFORMED: "A transform gives it properties that are not known",
    Open.NESTED_TEMPLATE_NOT_GIVEN: "It is a nested stack whose template was not given",
    Open.SAM_NOT_TRANSFORMED: (
        "It belongs to AWS SAM, whose transform has not run: what it calls and how failures are "
        "kept is not known"
    ),
    Open.LOOP: "It makes resources at deployment that are not known",
    Open.MACRO: "It may change any resource at deployment, and how is not known",
    Open.CALLED_FUNCTION_MISSING: "It calls function {0}, which does not exist",
    Open.NOT_ALLOWED: "Not known: {0}. {1} is {answers}",
    Refused.FIFO_QUEUE: "a FIFO queue",
    Refused.FIFO_TOPIC: "a FIFO topic",
    Refused.S3_BUCKET: "an S3 bucket",
    Refused.FUNCTION: "a function",
    Refused.EVENT_BUS: "an event bus",
    Refused.OTHER_SERVICE: "a resource of {0}",
    Doubt.CONDITIONAL_VALUE: "it is given under a condition only",
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
    Problem.DELIVERY_RETRIES: (
        "{callers} sets MaximumRetryAttempts to {0}, which counts deliveries to Lambda. How often "
        "Lambda runs {the_function} again is not set, so it is twice"
    ),
    Problem.ANSWER_AWAITED: (
        "{It} is called by {callers}, which does not wait for the function, but for an answer: a "
        "failure shows as a failed deployment or execution, after a time-out, and the event is "
        "not kept"
    ),
    Problem.IN_DOUBT: (
        "{It} is {how} {callers}, and whether its failures are kept is not known: {why}"
    ),
    Problem.WAITS_UNKNOWN: (
        "{It} is called by {callers}, and whether that waits for the answer is not known. If it "
        "does not, failures are lost"
    ),
}
_OUTCOMES = {"OnFailure": "failures", "OnSuccess": "successes"}


class _FixTexts(NamedTuple):
    # {function}, {reference}, {qualifier} and {retries} stand for what the fix is about.
    cdk: str
    cloudformation: str


_ATTACH = "channel.notify_failures_of({function}), with channel = FailureChannel(…)"
_CONFIG = (
    "AWS::Lambda::EventInvokeConfig with {{FunctionName: {reference}, Qualifier: {qualifier}, "
)
_DESTINATION = "DestinationConfig: {{OnFailure: {{Destination: !GetAtt Queue.Arn}}}}"
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
    Remedy.SET_RETRIES: _FixTexts(
        "channel.notify_failures_of({function}, retries={retries})",
        _CONFIG + "MaximumRetryAttempts: {retries}}}",
    ),
}


def reason(finding: FindingParts) -> str:
    """Return what is wrong, in one or two sentences."""
    return f"{_phrase(finding.cause, finding)}."


def cdk_fix(finding: FindingParts) -> str:
    """Return what fixes it in CDK, in one line, or nothing."""
    fix = finding.remedy
    return _filled(_FIXES[fix.remedy].cdk, fix) if fix else ""


def cloudformation_fix(finding: FindingParts) -> str:
    """Return what fixes it in a template, in one line, or nothing."""
    fix = finding.remedy
    return _filled(_FIXES[fix.remedy].cloudformation, fix) if fix else ""


def shown(finding: FindingParts) -> str:
    """Return what people know the function by; where there is none, the resource."""
    return finding.function or finding.resource.shown


def message(finding: FindingParts) -> str:
    """Return what is wrong, with the function before it, for formats that have one text."""
    return f"{shown(finding)}: {reason(finding)}"


def fixes(finding: FindingParts) -> list[tuple[str, str]]:
    """Return where it can be fixed, `CDK` and `template`, and how; nothing where that is open."""
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
        retries=fix.retries if fix.retries in ("0", "1", _MOST_RETRIES) else _MOST_RETRIES,
    )


def _name_in_code(fix: Fix) -> str:
    """Return a name like the one that the user's code may have for what is called."""
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
