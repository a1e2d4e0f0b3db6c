"""Every way of calling a function asynchronously, as a small template with real properties."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Resources = dict[str, dict[str, Any]]

FUNCTION: dict[str, Any] = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
        "Code": {"ZipFile": "def handler(event, context): ..."},
    },
}


def role(*services: Any, policies: list[Any] | None = None) -> dict[str, Any]:
    """Return a role that services assume."""
    properties: dict[str, Any] = {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": list(services)},
                }
            ],
        }
    }
    if policies:
        properties["Policies"] = policies
    return {"Type": "AWS::IAM::Role", "Properties": properties}


QUEUE_POLICY: dict[str, Any] = {
    "Type": "AWS::SQS::QueuePolicy",
    "Properties": {
        "Queues": [{"Ref": "Queue"}],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]},
                    "Action": "sqs:SendMessage",
                    "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
                }
            ],
        },
    },
}
BASE: Resources = {
    "Function": FUNCTION,
    "FunctionRole": role("lambda.amazonaws.com"),
    "Queue": {"Type": "AWS::SQS::Queue"},
    "QueuePolicy": QUEUE_POLICY,
    "QueueSubscription": {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": {"Ref": "Topic"},
            "Protocol": "sqs",
            "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
        },
    },
    "Role": role("scheduler.amazonaws.com", "pipes.amazonaws.com", "states.amazonaws.com"),
    "Topic": {"Type": "AWS::SNS::Topic"},
}

ARN = {"Fn::GetAtt": ["Function", "Arn"]}
QUEUE_ARN = {"Fn::GetAtt": ["Queue", "Arn"]}
ROLE_ARN = {"Fn::GetAtt": ["Role", "Arn"]}


def one(type: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a resource."""
    return {"Type": type, "Properties": properties}


def rule(function: Any, **target: Any) -> Resources:
    """An event rule."""
    return {
        "Caller": one(
            "AWS::Events::Rule",
            {
                "ScheduleExpression": "rate(1 hour)",
                "Targets": [{"Id": "Target", "Arn": function, **target}],
            },
        )
    }


def schedule(function: Any, **target: Any) -> Resources:
    """A schedule: its role has the only permission."""
    return {
        "Caller": one(
            "AWS::Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(1 hour)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": function, "RoleArn": ROLE_ARN, **target},
            },
        )
    }


def universal_schedule(function: Any) -> Resources:
    """A schedule that calls Lambda's operation."""
    request = {"InvocationType": "Event", "FunctionName": "${Name}"}
    arn = {"Fn::Sub": "arn:${AWS::Partition}:scheduler:::aws-sdk:lambda:invoke"}
    body = {"Fn::Sub": [json.dumps(request), {"Name": function}]}
    return schedule(arn, Input=body)


def role_of_schedules(function: Any, principal: Any = "scheduler.amazonaws.com") -> Resources:
    """A role for schedules that are made at run time."""
    policy = {
        "PolicyName": "Invoke",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
            ],
        },
    }
    return {"Caller": role(principal, policies=[policy])}


def pipe(function: Any) -> Resources:
    """A pipe that does not wait."""
    return {
        "Caller": one(
            "AWS::Pipes::Pipe",
            {
                "RoleArn": ROLE_ARN,
                "Source": QUEUE_ARN,
                "Target": function,
                "TargetParameters": {
                    "LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}
                },
            },
        )
    }


def subscription(function: Any, **properties: Any) -> Resources:
    """A subscription to a topic."""
    return {
        "Caller": one(
            "AWS::SNS::Subscription",
            {
                "Protocol": "lambda",
                "TopicArn": {"Ref": "Topic"},
                "Endpoint": function,
                **properties,
            },
        )
    }


def subscription_in_topic(function: Any) -> Resources:
    """A subscription within its topic."""
    subscriptions = [{"Protocol": "lambda", "Endpoint": function}]
    return {"Caller": one("AWS::SNS::Topic", {"Subscription": subscriptions})}


def bucket(function: Any) -> Resources:
    """A bucket's notification."""
    notification = {"Event": "s3:ObjectCreated:*", "Function": function}
    return {
        "Caller": one(
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"LambdaConfigurations": [notification]}},
        )
    }


def cdk_bucket(function: Any) -> Resources:
    """A bucket's notification, set by the CDK's custom resource."""
    return {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "BucketNotificationsHandler050a0587b7544547bf325f094a3db8347ECC3691": FUNCTION,
        "Caller": one(
            "Custom::S3BucketNotifications",
            {
                "ServiceToken": {
                    "Fn::GetAtt": [
                        "BucketNotificationsHandler050a0587b7544547bf325f094a3db8347ECC3691",
                        "Arn",
                    ]
                },
                "BucketName": {"Ref": "Bucket"},
                "NotificationConfiguration": {
                    "LambdaFunctionConfigurations": [
                        {"Events": ["s3:ObjectCreated:*"], "LambdaFunctionArn": function}
                    ]
                },
                "Managed": True,
            },
        ),
    }


def receipt_rule(function: Any, **action: Any) -> Resources:
    """A receipt rule of SES."""
    return {
        "RuleSet": {"Type": "AWS::SES::ReceiptRuleSet"},
        "Caller": one(
            "AWS::SES::ReceiptRule",
            {
                "RuleSetName": {"Ref": "RuleSet"},
                "Rule": {"Actions": [{"LambdaAction": {"FunctionArn": function, **action}}]},
            },
        ),
    }


def mail_manager(function: Any) -> Resources:
    """A rule of SES Mail Manager."""
    action = {"FunctionArn": function, "InvocationType": "EVENT", "RoleArn": ROLE_ARN}
    return {
        "Caller": one(
            "AWS::SES::MailManagerRuleSet", {"Rules": [{"Actions": [{"InvokeLambda": action}]}]}
        )
    }


def topic_rule(function: Any) -> Resources:
    """A topic rule of IoT."""
    return {
        "Caller": one(
            "AWS::IoT::TopicRule",
            {
                "TopicRulePayload": {
                    "Sql": "SELECT * FROM 'a'",
                    "Actions": [{"Lambda": {"FunctionArn": function}}],
                }
            },
        )
    }


def topic_rule_error_action(function: Any) -> Resources:
    """The error action of a topic rule of IoT."""
    return {
        "Caller": one(
            "AWS::IoT::TopicRule",
            {
                "TopicRulePayload": {
                    "Sql": "SELECT * FROM 'a'",
                    "Actions": [{"Republish": {"Topic": "b", "RoleArn": ROLE_ARN}}],
                    "ErrorAction": {"Lambda": {"FunctionArn": function}},
                }
            },
        )
    }


def detector(function: Any) -> Resources:
    """A detector model of IoT Events."""
    event = {
        "EventName": "Enter",
        "Actions": [{"Lambda": {"FunctionArn": function}}],
    }
    return {
        "Caller": one(
            "AWS::IoTEvents::DetectorModel",
            {
                "RoleArn": ROLE_ARN,
                "DetectorModelDefinition": {
                    "InitialStateName": "Start",
                    "States": [{"StateName": "Start", "OnEnter": {"Events": [event]}}],
                },
            },
        )
    }


def repository(function: Any) -> Resources:
    """A trigger of CodeCommit."""
    trigger = {"Name": "Trigger", "Events": ["all"], "DestinationArn": function}
    return {
        "Caller": one(
            "AWS::CodeCommit::Repository", {"RepositoryName": "code", "Triggers": [trigger]}
        )
    }


def pipeline(function: Any) -> Resources:
    """An Invoke action of CodePipeline, which takes a name."""

    def action(name: str, **properties: Any) -> dict[str, Any]:
        return {"Name": name, **properties}

    source = action(
        "Source",
        ActionTypeId={"Category": "Source", "Owner": "AWS", "Provider": "S3", "Version": "1"},
        Configuration={"S3Bucket": {"Ref": "Bucket"}, "S3ObjectKey": "source.zip"},
        OutputArtifacts=[{"Name": "Code"}],
    )
    invoke = action(
        "Invoke",
        ActionTypeId={"Category": "Invoke", "Owner": "AWS", "Provider": "Lambda", "Version": "1"},
        Configuration={"FunctionName": function},
    )
    return {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Caller": one(
            "AWS::CodePipeline::Pipeline",
            {
                "RoleArn": ROLE_ARN,
                "ArtifactStore": {"Type": "S3", "Location": {"Ref": "Bucket"}},
                "Stages": [
                    {"Name": "Source", "Actions": [source]},
                    {"Name": "Invoke", "Actions": [invoke]},
                ],
            },
        ),
    }


def extension(function: Any) -> Resources:
    """An extension of AppConfig."""
    action = {"Name": "Tell", "Uri": function, "RoleArn": ROLE_ARN}
    return {
        "Caller": one(
            "AWS::AppConfig::Extension",
            {"Name": "Extension", "Actions": {"ON_DEPLOYMENT_COMPLETE": [action]}},
        )
    }


def config_rule(function: Any) -> Resources:
    """A custom rule of AWS Config."""
    return {
        "Caller": one(
            "AWS::Config::ConfigRule",
            {
                "Source": {
                    "Owner": "CUSTOM_LAMBDA",
                    "SourceIdentifier": function,
                    "SourceDetails": [
                        {
                            "EventSource": "aws.config",
                            "MessageType": "ConfigurationItemChangeNotification",
                        }
                    ],
                }
            },
        )
    }


def organization_config_rule(function: Any) -> Resources:
    """A custom rule of an organization."""
    return {
        "Caller": one(
            "AWS::Config::OrganizationConfigRule",
            {
                "OrganizationConfigRuleName": "rule",
                "OrganizationCustomRuleMetadata": {
                    "LambdaFunctionArn": function,
                    "OrganizationConfigRuleTriggerTypes": ["ConfigurationItemChangeNotification"],
                },
            },
        )
    }


def subscription_filter(function: Any) -> Resources:
    """A subscription to a log group."""
    return {
        "LogGroup": {"Type": "AWS::Logs::LogGroup"},
        "Caller": one(
            "AWS::Logs::SubscriptionFilter",
            {
                "LogGroupName": {"Ref": "LogGroup"},
                "FilterPattern": "ERROR",
                "DestinationArn": function,
            },
        ),
    }


def account_policy(function: Any) -> Resources:
    """A subscription to all log groups of an account."""
    document = {"Fn::Sub": ['{"DestinationArn": "${Arn}", "FilterPattern": ""}', {"Arn": function}]}
    return {
        "Caller": one(
            "AWS::Logs::AccountPolicy",
            {
                "PolicyName": "all",
                "PolicyType": "SUBSCRIPTION_FILTER_POLICY",
                "Scope": "ALL",
                "PolicyDocument": document,
            },
        )
    }


def alarm(function: Any) -> Resources:
    """An alarm's action."""
    return {
        "Caller": one(
            "AWS::CloudWatch::Alarm",
            {
                "Namespace": "AWS/SQS",
                "MetricName": "NumberOfMessagesSent",
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "OKActions": [function],
            },
        )
    }


def composite_alarm(function: Any) -> Resources:
    """A composite alarm's action."""
    return {
        "Caller": one(
            "AWS::CloudWatch::CompositeAlarm",
            {"AlarmRule": "TRUE", "AlarmActions": [{"Ref": "Topic"}, function]},
        )
    }


def custom_sender(function: Any, trigger: str = "CustomEmailSender") -> Resources:
    """A user pool's trigger that Cognito does not wait for."""
    key = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
    sender = {"LambdaArn": function, "LambdaVersion": "V1_0"}
    return {
        "Caller": one(
            "AWS::Cognito::UserPool", {"LambdaConfig": {trigger: sender, "KMSKeyID": key}}
        )
    }


def custom_sms_sender(function: Any) -> Resources:
    """The same for text messages."""
    return custom_sender(function, "CustomSMSSender")


def user_pool(function: Any) -> Resources:
    """The triggers of a user pool that Cognito waits for."""
    config = {"LambdaVersion": "V2_0", "LambdaArn": function}
    triggers = {"PreSignUp": function, "PreTokenGenerationConfig": config}
    return {"Caller": one("AWS::Cognito::UserPool", {"LambdaConfig": triggers})}


def override_in_mapping_template(
    function: Any, override: str = "header['X-Amz-Invocation-Type'] = \"'Event'\""
) -> Resources:
    """A method of an API whose mapping template sets the header."""
    resources = asynchronous_method(function)
    integration = resources["Caller"]["Properties"]["Integration"]
    del integration["RequestParameters"]
    template = f"#set($context.requestOverride.{override})\n$input.json('$')"
    integration["RequestTemplates"] = {"application/json": template}
    return resources


def openapi_override(function: Any) -> Resources:
    """The same in an OpenAPI document."""
    resources = override_in_mapping_template(function)
    integration = resources.pop("Caller")["Properties"]["Integration"]
    method = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": integration["Uri"],
        "requestTemplates": integration["RequestTemplates"],
    }
    paths = {"/": {"post": {"x-amazon-apigateway-integration": method}}}
    body = {"openapi": "3.0.1", "info": {"title": "Api", "version": "1"}, "paths": paths}
    return {"Caller": one("AWS::ApiGateway::RestApi", {"Body": body})}


def websocket_override(function: Any) -> Resources:
    """The same in an integration of a WebSocket API."""
    resources = override_in_mapping_template(function)
    integration = resources.pop("Caller")["Properties"]["Integration"]
    api = {"Name": "Api", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body"}
    return {
        "WebSocketApi": one("AWS::ApiGatewayV2::Api", api),
        "Caller": one(
            "AWS::ApiGatewayV2::Integration",
            {
                "ApiId": {"Ref": "WebSocketApi"},
                "IntegrationType": "AWS",
                "IntegrationMethod": "POST",
                "IntegrationUri": integration["Uri"],
                "RequestTemplates": integration["RequestTemplates"],
            },
        ),
    }


def older_operation(function: Any) -> Resources:
    """A method of an API that uses Lambda's older operation, which never waits."""
    resources = asynchronous_method(function)
    integration = resources["Caller"]["Properties"]["Integration"]
    del integration["RequestParameters"]
    uri = "arn:aws:apigateway:eu-west-1:lambda:path/2014-11-13/functions/${Arn}/invoke-async/"
    integration["Uri"] = {"Fn::Sub": [uri, {"Arn": function}]}
    return resources


def asynchronous_method(function: Any, type: Any = "'Event'") -> Resources:
    """A method of an API that does not wait."""
    uri = {
        "Fn::Sub": [
            "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function}/invocations",
            {"Function": function},
        ]
    }
    return {
        "Api": one("AWS::ApiGateway::RestApi", {"Name": "Api"}),
        "Caller": one(
            "AWS::ApiGateway::Method",
            {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "HttpMethod": "POST",
                "AuthorizationType": "AWS_IAM",
                "Integration": {
                    "Type": "AWS",
                    "IntegrationHttpMethod": "POST",
                    "Uri": uri,
                    "RequestParameters": {"integration.request.header.X-Amz-Invocation-Type": type},
                },
            },
        ),
    }


def _data_source(function: Any) -> Resources:
    return {
        "Api": one("AWS::AppSync::GraphQLApi", {"Name": "Api", "AuthenticationType": "AWS_IAM"}),
        "DataSource": one(
            "AWS::AppSync::DataSource",
            {
                "ApiId": {"Fn::GetAtt": ["Api", "ApiId"]},
                "Name": "functions",
                "Type": "AWS_LAMBDA",
                "ServiceRoleArn": ROLE_ARN,
                "LambdaConfig": {"LambdaFunctionArn": function},
            },
        ),
    }


def channel_namespace(function: Any, type: Any = "EVENT") -> Resources:
    """A channel of AppSync Events that does not wait."""
    handler = {
        "Behavior": "DIRECT",
        "Integration": {"DataSourceName": "functions", "LambdaConfig": {"InvokeType": type}},
    }
    return {
        **_data_source(function),
        "Caller": one(
            "AWS::AppSync::ChannelNamespace",
            {
                "ApiId": {"Fn::GetAtt": ["Api", "ApiId"]},
                "Name": "channel",
                "HandlerConfigs": {"OnPublish": handler},
            },
        ),
    }


ASYNCHRONOUS_CODE = (
    "export const request = (ctx) => ({operation: 'Invoke', invocationType: 'Event'});"
)


def resolver(function: Any, code: str = ASYNCHRONOUS_CODE) -> Resources:
    """A resolver of AppSync whose code does not wait."""
    return {
        **_data_source(function),
        "Caller": one(
            "AWS::AppSync::Resolver",
            {
                "ApiId": {"Fn::GetAtt": ["Api", "ApiId"]},
                "TypeName": "Mutation",
                "FieldName": "order",
                "DataSourceName": {"Fn::GetAtt": ["DataSource", "Name"]},
                "Runtime": {"Name": "APPSYNC_JS", "RuntimeVersion": "1.0.0"},
                "Code": code,
            },
        ),
    }


def resolver_with_mapping_template(
    function: Any,
    template: str = '{"version": "2018-05-29", "operation": "Invoke", "invocationType": "Event"}',
) -> Resources:
    """A resolver of AppSync with a mapping template."""
    resources = resolver(function)
    properties = resources["Caller"]["Properties"]
    del properties["Code"], properties["Runtime"]
    properties["RequestMappingTemplate"] = template
    return resources


EVENT_TASK: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "${Name}", "InvocationType": "Event"},
    "End": True,
}


def state_machine(
    function: Any, arguments: str = "Parameters", type: str = "Event", **task: Any
) -> Resources:
    """A task of Step Functions that does not wait."""
    task = {
        "Type": "Task",
        "Resource": "arn:${AWS::Partition}:states:::lambda:invoke",
        arguments: {"FunctionName": "${Name}", "InvocationType": type},
        "End": True,
        **task,
    }
    language = "JSONata" if arguments == "Arguments" else "JSONPath"
    definition = json.dumps(
        {"QueryLanguage": language, "StartAt": "Tell", "States": {"Tell": task}}
    )
    return {
        "Caller": one(
            "AWS::StepFunctions::StateMachine",
            {
                "RoleArn": ROLE_ARN,
                "DefinitionString": {"Fn::Sub": [definition, {"Name": function}]},
            },
        )
    }


def jsonata_state_machine(function: Any) -> Resources:
    """The same task in JSONata, where a text is an expression too."""
    return state_machine(function, "Arguments", "{% 'Event' %}")


def destination(function: Any) -> Resources:
    """The success destination of another function."""
    return {
        "Other": FUNCTION,
        "Caller": one(
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": "Other"},
                "Qualifier": "$LATEST",
                "DestinationConfig": {
                    "OnSuccess": {"Destination": function},
                    "OnFailure": {"Destination": QUEUE_ARN},
                },
            },
        ),
    }


def failure_destination(function: Any) -> Resources:
    """The failure destination of another function."""
    resources = destination(function)
    resources["Caller"]["Properties"]["DestinationConfig"] = {
        "OnFailure": {"Destination": function}
    }
    return resources


def permission(function: Any, principal: Any = "s3.amazonaws.com", **more: Any) -> Resources:
    """A permission for a service."""
    return {
        "Caller": one(
            "AWS::Lambda::Permission",
            {
                "FunctionName": function,
                "Action": "lambda:InvokeFunction",
                "Principal": principal,
                **more,
            },
        )
    }


def permission_with_source(function: Any) -> Resources:
    """A permission for a service and one source."""
    return permission(
        function, "events.amazonaws.com", SourceArn="arn:aws:events:eu-west-1:111122223333:rule/r"
    )


def permission_with_suffix(function: Any) -> Resources:
    """A permission whose principal ends in the partition's suffix."""
    return permission(function, {"Fn::Sub": "s3.${AWS::URLSuffix}"})


def trigger(function: Any) -> Resources:
    """A trigger of the CDK that does not wait."""
    return {
        "Provider": FUNCTION,
        "Caller": one(
            "Custom::Trigger",
            {
                "ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]},
                "HandlerArn": function,
                "InvocationType": "Event",
                "Timeout": "120000",
                "ExecuteOnHandlerChange": True,
            },
        ),
    }


def _handled(type: str, **properties: Any) -> Resources:
    """Return a custom resource of Serverless Framework with its handler."""
    handler = "CustomDashresourceDashexistingDashs3LambdaFunction"
    token = {"Fn::GetAtt": [handler, "Arn"]}
    return {handler: FUNCTION, "Caller": one(type, {"ServiceToken": token, **properties})}


def existing_bucket(function: Any) -> Resources:
    """A bucket that exists already, as a custom resource of Serverless Framework."""
    rules = [{"Event": "s3:ObjectCreated:*", "Rules": []}]
    return _handled("Custom::S3", FunctionName=function, BucketName="old", BucketConfigs=rules)


def rule_without_cloudformation(function: Any) -> Resources:
    """A rule as a custom resource of Serverless Framework."""
    config = {"RuleName": "rule", "State": "ENABLED", "Pattern": {"source": ["orders"]}}
    return _handled("Custom::EventBridge", FunctionName=function, EventBridgeConfig=config)


def existing_user_pool(function: Any, trigger: str = "CustomSMSSender") -> Resources:
    """A user pool that exists already, as a custom resource of Serverless Framework."""
    configs = [{"Trigger": trigger}]
    return _handled(
        "Custom::CognitoUserPool",
        FunctionName=function,
        UserPoolName="users",
        UserPoolConfigs=configs,
    )


def sdk_call(function: Any, service: str = "Lambda", action: str = "invoke") -> Resources:
    """A call at deployment, by the CDK's custom resource for any AWS operation."""
    call = {
        "service": service,
        "action": action,
        "parameters": {"FunctionName": "${Name}", "InvocationType": "Event"},
        "physicalResourceId": {"id": "call"},
    }
    return {
        "Provider": FUNCTION,
        "Caller": one(
            "Custom::AWS",
            {
                "ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]},
                "Create": {"Fn::Sub": [json.dumps(call), {"Name": function}]},
                "InstallLatestAwsSdk": False,
            },
        ),
    }


def sdk_command(function: Any) -> Resources:
    """The same call with the names of version 3 of the SDK."""
    return sdk_call(function, "@aws-sdk/client-lambda", "InvokeCommand")


def runbook(function: Any) -> Resources:
    """A runbook of Systems Manager with a step that does not wait."""
    inputs = {"FunctionName": function, "InvocationType": "Event"}
    step = {"name": "tell", "action": "aws:invokeLambdaFunction", "inputs": inputs}
    content = {"schemaVersion": "0.3", "mainSteps": [step]}
    return {"Caller": one("AWS::SSM::Document", {"DocumentType": "Automation", "Content": content})}


def runbook_with_operation(function: Any, api: str = "Invoke", **inputs: Any) -> Resources:
    """A runbook of Systems Manager with a step that calls any operation."""
    given = {"Service": "lambda", "Api": api, "FunctionName": function, "InvocationType": "Event"}
    step = {"name": "tell", "action": "aws:executeAwsApi", "inputs": {**given, **inputs}}
    content = {"schemaVersion": "0.3", "mainSteps": [step]}
    return {"Caller": one("AWS::SSM::Document", {"DocumentType": "Automation", "Content": content})}


def runbook_as_text(function: Any) -> Resources:
    """The same task, in a definition that is a text."""
    content = json.dumps(runbook("${Name}")["Caller"]["Properties"]["Content"])
    return {
        "Caller": one(
            "AWS::SSM::Document",
            {"DocumentType": "Automation", "Content": {"Fn::Sub": [content, {"Name": function}]}},
        )
    }


def transfer_workflow(function: Any) -> Resources:
    """A workflow of Transfer Family, which waits for a callback."""
    step = {"Name": "step", "Target": function, "TimeoutSeconds": 60}
    return {
        "Caller": one(
            "AWS::Transfer::Workflow", {"Steps": [{"Type": "CUSTOM", "CustomStepDetails": step}]}
        )
    }


def subscriber(function: Any, type: Any = "EVENT") -> Resources:
    """A subscriber of an event bus."""
    return {
        "Caller": one(
            "AWS::EventsV2::Subscriber",
            {
                "Name": "subscriber",
                "EventBusArn": f"arn:aws:events:eu-west-1:111122223333:event-busv2/bus/{'a' * 25}",
                "InvokeConfiguration": {
                    "TargetArn": function,
                    "RoleArn": ROLE_ARN,
                    "LambdaParameters": {"InvocationType": type},
                },
            },
        )
    }


def channel_flow(function: Any, fallback: str = "CONTINUE") -> Resources:
    """A processor of Chime's messages."""
    processor = {
        "Name": "processor",
        "ExecutionOrder": 1,
        "FallbackAction": fallback,
        "Configuration": {"Lambda": {"ResourceArn": function, "InvocationType": "ASYNC"}},
    }
    return {
        "Caller": one(
            "AWS::Chime::ChannelFlow",
            {
                "AppInstanceArn": "arn:aws:chime:us-east-1:111122223333:app-instance/a",
                "Name": "flow",
                "Processors": [processor],
            },
        )
    }


CALLERS: list[Callable[[Any], Resources]] = [
    rule,
    schedule,
    universal_schedule,
    role_of_schedules,
    pipe,
    subscriber,
    subscription,
    subscription_in_topic,
    bucket,
    cdk_bucket,
    receipt_rule,
    mail_manager,
    topic_rule,
    topic_rule_error_action,
    detector,
    repository,
    extension,
    config_rule,
    organization_config_rule,
    subscription_filter,
    account_policy,
    alarm,
    composite_alarm,
    asynchronous_method,
    channel_namespace,
    resolver,
    channel_flow,
    custom_sender,
    custom_sms_sender,
    existing_user_pool,
    override_in_mapping_template,
    openapi_override,
    websocket_override,
    older_operation,
    resolver_with_mapping_template,
    state_machine,
    jsonata_state_machine,
    destination,
    failure_destination,
    permission,
    permission_with_source,
    permission_with_suffix,
    trigger,
    existing_bucket,
    rule_without_cloudformation,
    sdk_call,
    sdk_command,
    runbook,
    runbook_with_operation,
    runbook_as_text,
]


def template(*resources: Resources, **sections: Any) -> dict[str, Any]:
    """Return a template with a function, a queue, and the given resources."""
    merged = dict(BASE)
    for each in resources:
        merged |= each
    return {"Resources": merged, **sections}


ALIAS: Resources = {
    "Version": one("AWS::Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
    "Alias": one(
        "AWS::Lambda::Alias",
        {
            "FunctionName": {"Ref": "Function"},
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            "Name": "live",
        },
    ),
}


def config(
    qualifier: Any = "$LATEST", destination: Any = QUEUE_ARN, **properties: Any
) -> Resources:
    """Return an asynchronous configuration with a failure destination."""
    return {
        "Config": one(
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": "Function"},
                "Qualifier": qualifier,
                "DestinationConfig": {"OnFailure": {"Destination": destination}},
                **properties,
            },
        )
    }


def alias_with_hooks(hook: Any, name: str = "BeforeAllowTrafficHook") -> Resources:
    """Return an alias that CodeDeploy shifts to a new version, with a hook."""
    update = {"ApplicationName": "app", "DeploymentGroupName": "group", name: hook}
    alias = {**ALIAS["Alias"], "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": update}}
    return {**ALIAS, "Alias": alias, "Hook": FUNCTION}


def with_dead_letter(target: Any = QUEUE_ARN) -> Resources:
    """Return the function with a dead-letter queue."""
    properties = {**FUNCTION["Properties"], "DeadLetterConfig": {"TargetArn": target}}
    return {"Function": one("AWS::Lambda::Function", properties)}
