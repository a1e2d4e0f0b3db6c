"""What an audit asks and finds, in cases that no engine can show."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.audit import ACTIONS, Audit, Auditor, JournalError, policy

from .account_of_paper import ACCOUNT, PAGE, QUEUE, REGION, PaperAccount, function_arn

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"


def audit(account: PaperAccount, path: Path, *regions: str, **options: Any) -> Audit:
    """Audit an account, and leave the answers in a file."""
    auditor = Auditor(account.session, regions or (REGION,), **options)
    auditor.begin()
    journal = auditor.journal(path)
    try:
        return auditor.run(journal)
    finally:
        journal.close()


def found(audit: Audit) -> list[tuple[str, str, str]]:
    """Return what the findings are about."""
    return [(one.logical_id, one.qualifier, one.kind) for one in audit.findings]


def functions(*names: str, **properties: Any) -> dict[str, Any]:
    """Answer ListFunctions with the $LATEST of functions."""
    return {
        "Functions": [
            {
                "FunctionName": name,
                "FunctionArn": f"{function_arn(name)}:$LATEST",
                "Version": "$LATEST",
                **properties,
            }
            for name in names
        ]
    }


def targets(*arns: str) -> dict[str, Any]:
    """Answer so that one rule calls functions."""
    bus = {"Name": "default"}
    rule = {"Name": "hourly", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hourly"}
    return {
        "ListEventBuses": {"EventBuses": [bus]},
        "ListRules": {"Rules": [rule]},
        "ListTargetsByRule": {
            "Targets": [{"Id": arn, "Arn": arn, "DeadLetterConfig": {"Arn": QUEUE}} for arn in arns]
        },
        "ListFunctionEventInvokeConfigs": {"FunctionEventInvokeConfigs": []},
        "GetPolicy": {"Policy": "{}"},
    }


def test_pages_through_everything_and_asks_nothing_twice(tmp_path: Path) -> None:
    """The functions of all pages are judged, after one question each."""
    account = PaperAccount(2 * PAGE + 20)
    audited = audit(account, tmp_path / "state")
    expected = [(f"function-{i:05}", "$LATEST", "uncovered") for i in range(1, 120, 10)]
    assert found(audited) == expected
    assert audited.functions == 120
    assert set(account.asked.values()) == {1}


def test_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """An answered question is not asked again, and the findings are the same."""
    state = tmp_path / "state"
    stopped = PaperAccount(60)
    stopped.interrupt_after = 100
    with pytest.raises(KeyboardInterrupt):
        audit(stopped, state)
    later = PaperAccount(60)
    audited = audit(later, state)
    assert audited.found > 80
    asked_again = set(stopped.asked) & set(later.asked)
    assert {operation for operation, _ in asked_again} <= {"GetCallerIdentity"}
    assert found(audited) == found(audit(PaperAccount(60), tmp_path / "fresh"))


def test_passes_over_a_broken_line_of_the_state(tmp_path: Path) -> None:
    """A process that is killed while writing loses one answer."""
    state = tmp_path / "state"
    whole = audit(PaperAccount(3), state)
    lines = state.read_text().splitlines()
    state.write_text("\n".join(lines)[:-7])
    again = PaperAccount(3)
    assert found(audit(again, state)) == found(whole)
    assert sum(again.asked.values()) == 2
    assert len(state.read_text().splitlines()) == len(lines)


def test_rejects_the_state_of_another_audit(tmp_path: Path) -> None:
    """The message says what differs."""
    audit(PaperAccount(), tmp_path / "state")
    with pytest.raises(JournalError, match="with regions eu-west-1 and not us-east-1"):
        audit(PaperAccount(), tmp_path / "state", "us-east-1")


def test_rejects_a_file_that_is_not_a_state(tmp_path: Path) -> None:
    """A user's own file is not overwritten."""
    (tmp_path / "notes").write_text("buy milk\n")
    with pytest.raises(JournalError, match="is not the file of an audit"):
        audit(PaperAccount(), tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "buy milk\n"


def test_says_in_one_line_what_is_denied(tmp_path: Path) -> None:
    """The rest is audited."""
    account = PaperAccount(60, denied=("ListRules", "ListAliases"))
    audited = audit(account, tmp_path / "state")
    unknown = [one.reason for one in audited.findings if one.kind == "unknown"]
    assert unknown == [
        "Not known: which rules there are. events:ListRules is denied in eu-west-1.",
        (
            "Not known: which aliases functions have, and who may call these. "
            "lambda:ListAliases is denied in eu-west-1 (60 times)."
        ),
    ]
    assert len([one for one in audited.findings if one.kind == "uncovered"]) == 6


def test_accuses_nobody_whose_configuration_is_denied(tmp_path: Path) -> None:
    """Without the configuration, it is not known whether failures are kept."""
    account = PaperAccount(20, denied=("ListFunctionEventInvokeConfigs",))
    audited = audit(account, tmp_path / "state")
    assert {kind for _, _, kind in found(audited)} == {"unknown"}
    assert "lambda:ListFunctionEventInvokeConfigs is not allowed" in audited.findings[0].reason


def test_gives_up_what_is_always_denied(tmp_path: Path) -> None:
    """Asking for thousands of functions would take as long as if AWS answered."""
    account = PaperAccount(200, denied=("ListAliases",))
    audit(account, tmp_path / "state")
    asked = Counter(operation for operation, _ in account.asked)
    assert asked["ListAliases"] < 40
    assert asked["GetPolicy"] == 200


def test_is_blind_where_functions_cannot_be_listed(tmp_path: Path) -> None:
    """An audit without functions is not a clean one."""
    audited = audit(PaperAccount(3, denied=("ListFunctions",)), tmp_path / "state")
    assert audited.is_blind
    assert "which functions there are" in audited.findings[0].reason


def test_stops_when_credentials_expire(tmp_path: Path) -> None:
    """All other questions would get the same answer; the answers so far are kept."""
    account = PaperAccount(3, denied=("ListAliases",))
    account.error_code = "ExpiredTokenException"
    with pytest.raises(ClientError):
        audit(account, tmp_path / "state")
    assert audit(PaperAccount(3), tmp_path / "state").found > 3


def test_audits_all_enabled_regions(tmp_path: Path) -> None:
    """EC2 lists them."""
    assert audit(PaperAccount(), tmp_path / "state", "all").regions == ("eu-west-1", "us-east-1")


def test_keeps_functions_of_one_name_apart(tmp_path: Path) -> None:
    """Another account or Region may have a function of the same name."""
    elsewhere = function_arn("orders").replace(ACCOUNT, "444455556666")
    far = function_arn("orders", "us-east-1")
    account = PaperAccount(ListFunctions=functions("orders"), **targets(elsewhere, far))
    assert found(audit(account, tmp_path / "state")) == []


def test_says_that_a_called_function_does_not_exist(tmp_path: Path) -> None:
    """A failure destination would not help."""
    account = PaperAccount(ListFunctions=functions("orders"), **targets(function_arn("gone")))
    (finding,) = audit(account, tmp_path / "state").findings
    assert finding.reason == f"It calls function {function_arn('gone')}, which does not exist."
    assert finding.logical_id == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hourly"


@pytest.mark.parametrize(
    ("of_latest", "of_version", "expected"),
    [
        ("", "", [("orders", "live", "uncovered")]),
        (QUEUE, QUEUE, []),
        ("", QUEUE, []),
        (QUEUE, "", [("orders", "live", "other-qualifier")]),
    ],
)
def test_versions_have_their_own_dead_letter_queue(
    tmp_path: Path, of_latest: str, of_version: str, expected: list[tuple[str, str, str]]
) -> None:
    """What an alias calls was locked in when its version was published."""
    versions = [
        {
            "FunctionName": "orders",
            "FunctionArn": f"{function_arn('orders')}:{version}",
            "Version": version,
            **({"DeadLetterConfig": {"TargetArn": arn}} if arn else {}),
        }
        for version, arn in (("$LATEST", of_latest), ("1", of_version))
    ]
    account = PaperAccount(
        ListFunctions={"Functions": versions},
        ListAliases={"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
        **targets(f"{function_arn('orders')}:live"),
    )
    assert found(audit(account, tmp_path / "state")) == expected


def test_a_destination_does_not_cover_a_durable_function(tmp_path: Path) -> None:
    """Lambda sends its failures to its dead-letter queue only."""
    durable = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}
    called = f"{function_arn('orders')}:$LATEST"
    lost = PaperAccount(ListFunctions=functions("orders", **durable), **targets(called))
    assert [kind for *_, kind in found(audit(lost, tmp_path / "lost"))] == ["durable"]
    kept = functions("orders", **durable, DeadLetterConfig={"TargetArn": QUEUE})
    account = PaperAccount(ListFunctions=kept, **targets(called))
    assert found(audit(account, tmp_path / "kept")) == []


def test_finds_a_durable_function_that_is_called_without_a_qualifier(tmp_path: Path) -> None:
    """Lambda rejects each such invocation."""
    durable = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}
    kept = functions("orders", **durable, DeadLetterConfig={"TargetArn": QUEUE})
    account = PaperAccount(ListFunctions=kept, **targets(function_arn("orders")))
    assert [kind for *_, kind in found(audit(account, tmp_path / "state"))] == [
        "durable-unqualified"
    ]


@pytest.mark.parametrize(
    ("latest", "version", "expected"),
    [
        ({"durable"}, {"durable"}, ["durable"]),
        (set(), {"durable"}, ["durable"]),
        ({"durable"}, set(), []),
        ({"durable"}, {"durable", "queue"}, []),
        ({"durable", "queue"}, {"durable"}, ["durable"]),
        (set(), {"durable", "queue"}, []),
    ],
)
def test_a_version_is_durable_or_not_by_itself(
    tmp_path: Path, latest: set[str], version: set[str], expected: list[str]
) -> None:
    """What an alias calls was locked in; its destination covers it only if it is not durable."""
    settings: dict[str, Any] = {
        "durable": {"DurableConfig": {"ExecutionTimeout": 3600}},
        "queue": {"DeadLetterConfig": {"TargetArn": QUEUE}},
    }
    arn = function_arn("orders")
    versions = [
        {"FunctionName": "orders", "FunctionArn": f"{arn}:{name}", "Version": name}
        | {key: value for each in given for key, value in settings[each].items()}
        for name, given in (("$LATEST", latest), ("1", version))
    ]
    config = {
        "FunctionArn": f"{arn}:live",
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    }
    answers = {
        **targets(f"{arn}:live"),
        "ListFunctions": {"Functions": versions},
        "ListAliases": {"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
        "ListFunctionEventInvokeConfigs": {"FunctionEventInvokeConfigs": [config]},
    }
    assert [
        kind for *_, kind in found(audit(PaperAccount(**answers), tmp_path / "state"))
    ] == expected


def test_does_not_judge_an_alias_that_it_cannot_see(tmp_path: Path) -> None:
    """Its version may have a dead-letter queue, or none."""
    account = PaperAccount(
        ListFunctions=functions("orders", DeadLetterConfig={"TargetArn": QUEUE}),
        ListAliases={"Aliases": []},
        **targets(f"{function_arn('orders')}:live"),
    )
    (finding,) = audit(account, tmp_path / "state").findings
    assert finding.kind == "unknown"
    assert "no version or alias live of it was found" in finding.reason


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Principal": {"Service": "iot.amazonaws.com"}}, ["uncovered"]),
        ({"Principal": {"Service": ["codecommit.amazonaws.com"]}}, ["uncovered"]),
        ({"Principal": {"Service": "logs.eu-west-1.amazonaws.com"}}, ["uncovered"]),
        ({"Principal": {"Service": "apigateway.amazonaws.com"}}, []),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, []),
        ({"Principal": {"Service": "new.amazonaws.com"}}, ["unknown"]),
        (
            {
                "Principal": "*",
                "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}},
            },
            ["uncovered"],
        ),
        (
            {"Principal": {"Service": "iot.amazonaws.com"}, "Action": ["lambda:GetFunction"]},
            [],
        ),
        ({"Principal": {"Service": "iot.amazonaws.com"}, "Effect": "Deny"}, []),
        ("nonsense", []),
        (
            {
                "Principal": "*",
                "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            },
            [],
        ),
    ],
)
def test_judges_who_may_call(tmp_path: Path, statement: Any, expected: list[str]) -> None:
    """Services are judged as in the check, whatever the shape of the policy."""
    if isinstance(statement, dict):
        statement = {
            "Sid": "one",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn("orders"),
            **statement,
        }
    account = PaperAccount(
        ListFunctions=functions("orders"),
        ListFunctionEventInvokeConfigs={"FunctionEventInvokeConfigs": []},
        GetPolicy={"Policy": json.dumps({"Statement": [statement]})},
    )
    kinds = [one.kind for one in audit(account, tmp_path / "state").findings]
    assert kinds == expected


def test_finds_by_metric_who_calls_unseen(tmp_path: Path) -> None:
    """Asynchronous calls of a program leave a count and no other trace."""
    dimensions = [{"Name": "FunctionName", "Value": "orders"}]
    account = PaperAccount(
        ListFunctions=functions("orders", "idle"),
        ListFunctionEventInvokeConfigs={"FunctionEventInvokeConfigs": []},
        ListAliases={"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
        GetPolicy={"Policy": "{}"},
        ListMetrics={
            "Metrics": [
                {"Dimensions": [*dimensions, {"Name": "Resource", "Value": "orders:live"}]},
                {"Dimensions": dimensions},
            ]
        },
        GetMetricData={"MetricDataResults": [{"Id": "q0", "Values": [40.0, 2.0]}]},
    )
    assert found(audit(account, tmp_path / "without")) == []
    (finding,) = audit(account, tmp_path / "state", metrics=True).findings
    assert (finding.logical_id, finding.qualifier, finding.kind) == ("orders", "live", "uncovered")
    assert "42 events in 14 days, from an unknown caller" in finding.reason


def test_docs_have_the_exact_policy() -> None:
    """The documented policy allows exactly what an audit calls."""
    (block,) = [
        part.partition("```")[0]
        for part in DOCS.read_text().split("```json\n")[1:]
        if "FailureDestinationsAudit" in part
    ]
    assert json.loads(block) == policy()


def test_every_action_only_reads() -> None:
    """No action of an audit changes anything."""
    for action in ACTIONS:
        assert action.operation.startswith(("list_", "get_", "describe_")), action


def permitted(function: str, source: str) -> dict[str, Any]:
    """Answer GetPolicy with a permission for a rule."""
    statement = {
        "Sid": "rule",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": function_arn(function),
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    return {"GetPolicy": {"Policy": json.dumps({"Statement": [statement]})}}


RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/deleted"


def test_does_not_count_a_permission_for_a_rule_that_calls_nothing(tmp_path: Path) -> None:
    """All rules are read: one that is gone, or that calls others only, calls nothing."""
    answers = {
        "ListFunctions": functions("report", "other"),
        **targets(function_arn("other")),
        **permitted("report", RULE),
    }
    audited = audit(PaperAccount(0, **answers), tmp_path / "state")
    assert found(audited) == [("other", "$LATEST", "uncovered")]


@pytest.mark.parametrize(
    ("source", "denied"),
    [
        (RULE, ("ListRules",)),
        (RULE, ("ListTargetsByRule",)),
        (RULE.replace(ACCOUNT, "444455556666"), ()),
        (RULE.replace(REGION, "us-east-1"), ()),
        (RULE.replace("deleted", "*"), ()),
    ],
)
def test_counts_a_permission_for_a_rule_that_may_call(
    tmp_path: Path, source: str, denied: tuple[str, ...]
) -> None:
    """Rules that were not read, of another account or Region, may call the function."""
    answers = {
        "ListFunctions": functions("report"),
        **targets(),
        **permitted("report", source),
    }
    audited = audit(PaperAccount(0, denied, **answers), tmp_path / "state")
    assert ("report", "$LATEST", "uncovered") in found(audited)


def test_finds_the_custom_sender_of_a_user_pool(tmp_path: Path) -> None:
    """Cognito waits for the other triggers."""
    config = {
        "PreSignUp": function_arn("other"),
        "CustomEmailSender": {"LambdaArn": function_arn("report"), "LambdaVersion": "V1_0"},
    }
    answers = {
        "ListFunctions": functions("report", "other"),
        **targets(),
        "ListUserPools": {
            "UserPools": [{"Id": "eu-west-1_a", "LambdaConfig": config}, {"Id": "eu-west-1_b"}]
        },
    }
    audited = audit(PaperAccount(0, **answers), tmp_path / "state")
    (finding,) = audited.findings
    assert (finding.logical_id, finding.kind, finding.invoked_by) == (
        "report",
        "uncovered",
        (f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/eu-west-1_a",),
    )


def test_notes_a_rule_that_is_disabled(tmp_path: Path) -> None:
    """It calls nothing until someone enables it."""
    answers = {"ListFunctions": functions("report"), **targets(function_arn("report"))}
    answers["ListRules"]["Rules"][0]["State"] = "DISABLED"
    audited = audit(PaperAccount(0, **answers), tmp_path / "state")
    assert found(audited) == [("report", "$LATEST", "disabled")]


def test_notes_a_schedule_that_is_disabled(tmp_path: Path) -> None:
    """The same holds for a schedule."""
    target = {"Arn": function_arn("report"), "RoleArn": "role"}
    answers = {
        "ListFunctions": functions("report"),
        **targets(),
        "ListRules": {"Rules": []},
        "ListSchedules": {"Schedules": [{"Name": "nightly", "Target": target}]},
        "GetSchedule": {
            "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly",
            "State": "DISABLED",
            "Target": target,
        },
    }
    audited = audit(PaperAccount(0, **answers), tmp_path / "state")
    assert found(audited) == [("report", "$LATEST", "disabled")]
