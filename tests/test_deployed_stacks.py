"""The contract with deployed stacks: which resources they have, under which logical ids.

CloudFormation replaces a resource whose logical id changes; a replaced queue loses its events.
A change here is a breaking change: the changelog names the resource.
"""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
    FailureWatchdog,
    Webhook,
)

from .conftest import define_handler
from .templates import resources_of, without_hash

EVERY_MINUTE = ScheduleExpression.rate(cdk.Duration.minutes(1))

CHANNEL = {
    "ChannelCopyQueueAF8F59FC": "AWS::SQS::Queue",
    "ChannelCopyQueuePolicy6EDF7793": "AWS::SQS::QueuePolicy",
    "ChannelDeadLetterQueue5C1A14BE": "AWS::SQS::Queue",
    "ChannelDeadLetterQueuePolicyDB376466": "AWS::SQS::QueuePolicy",
    "ChannelQueue1992F7FF": "AWS::SQS::Queue",
    "ChannelQueuePolicyA6FCE972": "AWS::SQS::QueuePolicy",
    "ChannelQueueSubscription4009CBEB": "AWS::SNS::Subscription",
    "ChannelTopic8B0E34F7": "AWS::SNS::Topic",
    "ChannelTopicPolicy9D1D5C24": "AWS::SNS::TopicPolicy",
}
CHANNEL_OF_A_FUNCTION = {
    "NotifiedChannelCopyQueueBE4BF7FB": "AWS::SQS::Queue",
    "NotifiedChannelCopyQueuePolicy51C24ED6": "AWS::SQS::QueuePolicy",
    "NotifiedChannelDeadLetterQueue76ADD1C0": "AWS::SQS::Queue",
    "NotifiedChannelDeadLetterQueuePolicy58DCD659": "AWS::SQS::QueuePolicy",
    "NotifiedChannelQueueEE8D7E0D": "AWS::SQS::Queue",
    "NotifiedChannelQueuePolicy79315935": "AWS::SQS::QueuePolicy",
    "NotifiedChannelQueueSubscriptionFBFA12F8": "AWS::SNS::Subscription",
    "NotifiedChannelTopic66200890": "AWS::SNS::Topic",
    "NotifiedChannelTopicPolicy09F07C6E": "AWS::SNS::TopicPolicy",
}
FUNCTION = {
    "Handler886CB40B": "AWS::Lambda::Function",
    "HandlerServiceRoleFCDC14AE": "AWS::IAM::Role",
    "HandlerServiceRoleDefaultPolicyCBD0CC91": "AWS::IAM::Policy",
}
ASYNC_CONFIG = {"HandlerEventInvokeConfig16376DFA": "AWS::Lambda::EventInvokeConfig"}
SCHEDULE = {
    "NotifiedScheduleA2F6BA98": "AWS::Scheduler::Schedule",
    "NotifiedScheduleRoleC73EF49A": "AWS::IAM::Role",
}

MONITORING = {
    "MonitoringAlarmTopicAF62D4F1": "AWS::SNS::Topic",
    "MonitoringAlarmTopicPolicyCB9CCFB0": "AWS::SNS::TopicPolicy",
    "MonitoringDashboard0C3675C6": "AWS::CloudWatch::Dashboard",
    "MonitoringDeadLetterEvents59A7AF1F": "AWS::CloudWatch::Alarm",
    "MonitoringFailedEventsWaiting0A3BD70A": "AWS::CloudWatch::Alarm",
    "MonitoringNotificationsFailed1C810CA5": "AWS::CloudWatch::Alarm",
    "MonitoringOldestEventAge32A3F981": "AWS::CloudWatch::Alarm",
}
ALARMS_OF_THE_HANDLER = {
    "HandlerFailureAlarmsAsyncEventAge6D4D7FC9": "AWS::CloudWatch::Alarm",
    "HandlerFailureAlarmsDeadLetterErrors20742260": "AWS::CloudWatch::Alarm",
    "HandlerFailureAlarmsDestinationDeliveryFailures53544C40": "AWS::CloudWatch::Alarm",
}
ALARMS_OF_SCHEDULES = {
    "MonitoringFailureAlarmsInvocationsDroppedD7B578EE": "AWS::CloudWatch::Alarm",
    "MonitoringFailureAlarmsInvocationsLostB4F128DA": "AWS::CloudWatch::Alarm",
}
REPLAYER = {
    "ReplayerEventSource6D6FFE03": "AWS::Lambda::EventSourceMapping",
    "ReplayerFunctionCCAA94E2": "AWS::Lambda::Function",
    "ReplayerLogsD923D30A": "AWS::Logs::LogGroup",
    "ReplayerParkedEvents44664A40": "AWS::CloudWatch::Alarm",
    "ReplayerParkedQueue20311665": "AWS::SQS::Queue",
    "ReplayerParkedQueuePolicy82FA37BB": "AWS::SQS::QueuePolicy",
    "ReplayerRole55C354E3": "AWS::IAM::Role",
    "ReplayerRoleDefaultPolicy64A7742C": "AWS::IAM::Policy",
}
NOTIFIER = {
    "NotifierDeadLetterQueueB9B042D4": "AWS::SQS::Queue",
    "NotifierDeadLetterQueuePolicyC933AD06": "AWS::SQS::QueuePolicy",
    "NotifierEventSource054A1675": "AWS::Lambda::EventSourceMapping",
    "NotifierFunctionAF3DBB87": "AWS::Lambda::Function",
    "NotifierLogsEC358FAB": "AWS::Logs::LogGroup",
    "NotifierNoticeQueue9E429127": "AWS::SQS::Queue",
    "NotifierNoticeQueuePolicy57C7DB2E": "AWS::SQS::QueuePolicy",
    "NotifierNoticeSubscriptionA03A5643": "AWS::SNS::Subscription",
    "NotifierRole62983FBE": "AWS::IAM::Role",
    "NotifierRoleDefaultPolicyBD4C18C8": "AWS::IAM::Policy",
    "NotifierScheduleF0C45A17": "AWS::Scheduler::Schedule",
    "NotifierScheduleRole988B28D0": "AWS::IAM::Role",
    "NotifierState0FCBFF59": "AWS::DynamoDB::Table",
    "NotifierTopicE64A6449": "AWS::SNS::Topic",
    "NotifierTopicPolicy6D45C671": "AWS::SNS::TopicPolicy",
}
ALARMS_OF_THE_NOTIFIER = {
    "NotifierFailureAlarmsNoticeAge244092E5": "AWS::CloudWatch::Alarm",
    "NotifierFailureAlarmsNotifierFailedBB7BBC4A": "AWS::CloudWatch::Alarm",
    "NotifierFailureAlarmsUndeliveredNotices830E8D23": "AWS::CloudWatch::Alarm",
}
WATCHDOG = {
    "WatchdogFunction79A09A6B": "AWS::Lambda::Function",
    "WatchdogLogs0E38844B": "AWS::Logs::LogGroup",
    "WatchdogRole42C06A58": "AWS::IAM::Role",
    "WatchdogRoleDefaultPolicy411238A9": "AWS::IAM::Policy",
    "WatchdogScheduleD5E067EF": "AWS::Scheduler::Schedule",
    "WatchdogScheduleRole53F2EC1E": "AWS::IAM::Role",
    "WatchdogState504B207D": "AWS::DynamoDB::Table",
    "WatchdogTopic81C9B143": "AWS::SNS::Topic",
    "WatchdogTopicPolicy61F433AC": "AWS::SNS::TopicPolicy",
    "WatchdogWatchdogFailedE0FF6BB6": "AWS::CloudWatch::Alarm",
    "WatchdogWatchdogStopped2ABCECE2": "AWS::CloudWatch::Alarm",
}
WEBHOOK = {
    "NotifierWebhookFunction06A947D1": "AWS::Lambda::Function",
    "NotifierWebhookLogs3EFBB224": "AWS::Logs::LogGroup",
    "NotifierWebhookRole5CB11AF9": "AWS::IAM::Role",
    "NotifierWebhookRoleDefaultPolicyD5EA6140": "AWS::IAM::Policy",
    "NotifierWebhookslackSlackEventSourceC068352B": "AWS::Lambda::EventSourceMapping",
    "NotifierWebhookslackSlackQueueED039ECD": "AWS::SQS::Queue",
    "NotifierWebhookslackSlackQueuePolicy5C2DD9C3": "AWS::SQS::QueuePolicy",
    "NotifierWebhookslackSlackSubscription78260C06": "AWS::SNS::Subscription",
}
INVOKE_POLICY = {"ReplayerInvokePolicyFE06D1FD": "AWS::IAM::Policy"}


def ids_of(stack: cdk.Stack) -> dict[str, str]:
    """Return the types of resources by logical id, without the log groups of users' functions.

    Whether these have one depends on the flag `useCdkManagedLogGroup` of the CDK.
    """
    return {
        id: resource["Type"]
        for id, resource in resources_of(stack).items()
        if (without_hash(id), resource["Type"]) != ("HandlerLogGroup", "AWS::Logs::LogGroup")
    }


def test_channel(stack: cdk.Stack) -> None:
    """A channel has nine resources."""
    FailureChannel(stack, "Channel")
    assert ids_of(stack) == CHANNEL


def test_channel_with_mailboxes(stack: cdk.Stack) -> None:
    """Each mailbox adds one resource, named by its address."""
    channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])
    channel.add_email("Operator@example.com")
    assert ids_of(stack) == CHANNEL | {
        "ChannelEmaildeveloperexamplecom09665C51": "AWS::SNS::Subscription",
        "ChannelEmailoperatorexamplecom045311CB": "AWS::SNS::Subscription",
    }


def test_channel_with_a_given_queue(app: cdk.App) -> None:
    """A given queue changes no logical id but its own, wherever its stack is."""
    stage = cdk.Stage(app, "Production")
    stacks = [cdk.Stack(app, "One"), cdk.Stack(stage, "Other")]
    for stack in stacks:
        FailureChannel(stack, "Channel", queue=sqs.Queue(stack, "Given"))
    expected = set(CHANNEL) - {"ChannelQueue1992F7FF", "ChannelQueuePolicyA6FCE972"}
    for stack in stacks:
        assert {id for id in ids_of(stack) if not id.startswith("Given")} == expected


def test_channel_with_a_key(stack: cdk.Stack) -> None:
    """A key changes no logical id of the channel."""
    key = kms.Key(stack, "Key")
    FailureChannel(stack, "Channel", encryption_key=key)
    assert {id for id in ids_of(stack) if not id.startswith("Key")} == set(CHANNEL)


def test_function(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A function on a channel of its own."""
    FailureNotifiedFunction(stack, "Notified", handler=handler)
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL_OF_A_FUNCTION


def test_scheduled_function(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A schedule adds two resources."""
    FailureNotifiedFunction(stack, "Notified", handler=handler, schedule=EVERY_MINUTE)
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL_OF_A_FUNCTION | SCHEDULE


def test_scheduled_function_on_a_shared_channel(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """On a shared channel, a scheduled function adds three resources to its own."""
    channel = FailureChannel(stack, "Channel")
    FailureNotifiedFunction(
        stack, "Notified", handler=handler, schedule=EVERY_MINUTE, channel=channel
    )
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL | SCHEDULE


def test_function_attached_by_the_channel(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A channel attaches a function with one resource, the same as the construct's."""
    FailureChannel(stack, "Channel").notify_failures_of(handler)
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL


def test_handler_of_another_stack(app: cdk.App) -> None:
    """Everything about a handler of another stack is in the construct's stack."""
    handler = define_handler(cdk.Stack(app, "Handlers"))
    stack = cdk.Stack(app, "Stack")
    FailureNotifiedFunction(stack, "Notified", handler=handler)
    assert ids_of(stack) == CHANNEL_OF_A_FUNCTION | {
        "NotifiedEventInvokeConfig32A7E9B9": "AWS::Lambda::EventInvokeConfig",
        "NotifiedHandlerPolicyA4D66796": "AWS::IAM::Policy",
    }


def test_ids_do_not_name_the_stack(app: cdk.App) -> None:
    """The same construct has the same logical ids in every stack, stage and app."""
    stage = cdk.Stage(app, "Production")
    stacks = [cdk.Stack(app, "One"), cdk.Stack(stage, "Other")]
    for stack in stacks:
        FailureChannel(stack, "Channel")
    assert [ids_of(stack) for stack in stacks] == [CHANNEL, CHANNEL]


def test_monitoring(stack: cdk.Stack) -> None:
    """A monitoring has a dashboard, four alarms and a topic, with a subscription for a mailbox."""
    channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])
    FailureMonitoring(stack, "Monitoring", channel=channel)
    assert ids_of(stack) == CHANNEL | MONITORING | {
        "ChannelEmaildeveloperexamplecom09665C51": "AWS::SNS::Subscription",
        "MonitoringEmaildeveloperexamplecomA03E92D9": "AWS::SNS::Subscription",
    }


@pytest.mark.parametrize("first", ["channel", "monitoring"])
def test_monitored_function(stack: cdk.Stack, handler: lambda_.Function, first: str) -> None:
    """A handler adds three alarms and its schedules two, whichever was defined first."""
    channel = FailureChannel(stack, "Channel")
    if first == "monitoring":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureNotifiedFunction(
        stack, "Notified", handler=handler, schedule=EVERY_MINUTE, channel=channel
    )
    if first == "channel":
        FailureMonitoring(stack, "Monitoring", channel=channel)
    assert ids_of(stack) == (
        FUNCTION
        | ASYNC_CONFIG
        | CHANNEL
        | SCHEDULE
        | MONITORING
        | ALARMS_OF_THE_HANDLER
        | ALARMS_OF_SCHEDULES
    )


def test_monitored_function_of_another_stack(app: cdk.App) -> None:
    """The handler's stack has its alarms."""
    stack, handlers = cdk.Stack(app, "Stack"), cdk.Stack(app, "Handlers")
    channel = FailureChannel(stack, "Channel")
    FailureMonitoring(stack, "Monitoring", channel=channel)
    channel.notify_failures_of(define_handler(handlers))
    assert ids_of(handlers) == FUNCTION | ASYNC_CONFIG | ALARMS_OF_THE_HANDLER


def test_monitoring_in_a_stack_of_its_own(app: cdk.App) -> None:
    """The monitoring's stack has the alarms about a handler of the channel's stack."""
    stack, own = cdk.Stack(app, "Stack"), cdk.Stack(app, "Own")
    channel = FailureChannel(stack, "Channel")
    FailureMonitoring(own, "Monitoring", channel=channel)
    channel.notify_failures_of(define_handler(stack))
    alarms = [
        "MonitoringFailureAlarmsHandlerAsyncEventAgeACF18A82",
        "MonitoringFailureAlarmsHandlerDeadLetterErrors115DEF11",
        "MonitoringFailureAlarmsHandlerDestinationDeliveryFailures92418409",
    ]
    assert ids_of(own) == MONITORING | dict.fromkeys(alarms, "AWS::CloudWatch::Alarm")


def test_source_queues(app: cdk.App, stack: cdk.Stack) -> None:
    """A source queue adds a queue and its policy, and three alarms to a monitoring."""
    other = cdk.Stack(app, "Other")
    channel = FailureChannel(stack, "Channel")
    FailureMonitoring(stack, "Monitoring", channel=channel)
    for each in (stack, other):
        channel.dead_letter_queue_for(sqs.Queue(each, "Orders"))
    app.synth()
    own = {
        "OrdersA9B65338": "AWS::SQS::Queue",
        "OrdersFailureAlarmsSourceMessageAge91D886F2": "AWS::CloudWatch::Alarm",
    }
    queues = {
        "ChannelSourceDeadLettersOrdersB2C72817": "AWS::SQS::Queue",
        "ChannelSourceDeadLettersOrdersPolicy5C78E04D": "AWS::SQS::QueuePolicy",
        "ChannelSourceDeadLettersOtherOrdersB8AD3FF2": "AWS::SQS::Queue",
        "ChannelSourceDeadLettersOtherOrdersPolicyDB34EEC9": "AWS::SQS::QueuePolicy",
    }
    alarms = [
        "MonitoringSourceQueueOrdersSourceDeadLetters968E8CF6",
        "MonitoringSourceQueueOrdersSourceDeadLetterAgeE6C129E1",
        "MonitoringSourceQueueOtherOrdersSourceDeadLettersD3DFC5AE",
        "MonitoringSourceQueueOtherOrdersSourceDeadLetterAge50926C9E",
    ]
    of_alarms = dict.fromkeys(alarms, "AWS::CloudWatch::Alarm")
    assert ids_of(stack) == CHANNEL | MONITORING | own | queues | of_alarms
    assert ids_of(other) == own


def test_notifier(stack: cdk.Stack) -> None:
    """A notifier has fifteen resources, and a subscription for each mailbox."""
    channel = FailureChannel(stack, "Channel")
    FailureNotifier(stack, "Notifier", channel=channel, emails=["developer@example.com"])
    mailbox = {"NotifierEmaildeveloperexamplecomEA355870": "AWS::SNS::Subscription"}
    assert ids_of(stack) == CHANNEL | NOTIFIER | mailbox


def test_notifier_with_a_webhook(stack: cdk.Stack) -> None:
    """The first webhook adds eight resources, and each further one four of them."""
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Slack", "team/slack")
    channel = FailureChannel(stack, "Channel")
    FailureNotifier(stack, "Notifier", channel=channel, webhooks=[Webhook.slack(secret)])
    assert ids_of(stack) == CHANNEL | NOTIFIER | WEBHOOK


def test_monitored_notifier(stack: cdk.Stack) -> None:
    """The notifier has its alarms."""
    channel = FailureChannel(stack, "Channel")
    FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureNotifier(stack, "Notifier", channel=channel)
    assert ids_of(stack) == CHANNEL | MONITORING | NOTIFIER | ALARMS_OF_THE_NOTIFIER


def test_watchdog(stack: cdk.Stack) -> None:
    """A watchdog has eleven resources, and a subscription for each mailbox."""
    FailureWatchdog(stack, "Watchdog", channel=FailureChannel(stack, "Channel"))
    assert ids_of(stack) == CHANNEL | WATCHDOG


def test_watchdog_of_a_notifier(stack: cdk.Stack) -> None:
    """It has no topic of its own, and everything else is the same."""
    channel = FailureChannel(stack, "Channel")
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    FailureWatchdog(stack, "Watchdog", channel=channel, notifier=notifier)
    own = {id: type for id, type in WATCHDOG.items() if not type.startswith("AWS::SNS::")}
    assert ids_of(stack) == CHANNEL | NOTIFIER | own


def test_replayer(stack: cdk.Stack) -> None:
    """A replayer has eight resources."""
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel"))
    assert ids_of(stack) == CHANNEL | REPLAYER


def test_replayer_with_a_key(stack: cdk.Stack) -> None:
    """A key changes no logical id of the replayer."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    FailureReplayer(stack, "Replayer", channel=channel)
    assert {id for id in ids_of(stack) if not id.startswith("Key")} == set(CHANNEL | REPLAYER)


@pytest.mark.parametrize("first", ["channel", "replayer"])
def test_replayed_function(stack: cdk.Stack, handler: lambda_.Function, first: str) -> None:
    """All handlers together add one policy, whichever was defined first."""
    channel = FailureChannel(stack, "Channel")
    if first == "replayer":
        FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(handler)
    if first == "channel":
        FailureReplayer(stack, "Replayer", channel=channel)
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL | REPLAYER | INVOKE_POLICY


def test_replayed_function_of_another_stack(app: cdk.App) -> None:
    """A handler of another stack adds a permission there."""
    stack, handlers = cdk.Stack(app, "Stack"), cdk.Stack(app, "Handlers")
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(handlers))
    permission = {"HandlerReplayPermissionB2E662EA": "AWS::Lambda::Permission"}
    assert ids_of(handlers) == FUNCTION | ASYNC_CONFIG | permission
    assert ids_of(stack) == CHANNEL | REPLAYER


def test_replayer_in_a_stack_of_its_own(app: cdk.App) -> None:
    """It has the same logical ids, and the channel's stack has none of its resources."""
    stack, own = cdk.Stack(app, "Stack"), cdk.Stack(app, "Own")
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(own, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(stack))
    assert ids_of(stack) == FUNCTION | ASYNC_CONFIG | CHANNEL
    assert ids_of(own) == REPLAYER | INVOKE_POLICY


def test_replayer_with_a_monitoring_of_another_stack(app: cdk.App) -> None:
    """The monitoring then also has the alarm about parked events."""
    stack, own = cdk.Stack(app, "Stack"), cdk.Stack(app, "Own")
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    FailureMonitoring(own, "Monitoring", channel=channel)
    assert ids_of(own) == MONITORING | {
        "MonitoringParkedEvents955F1A42": "AWS::CloudWatch::Alarm",
    }
