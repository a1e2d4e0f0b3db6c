"""AWS error codes, in the only place that knows how each service spells them."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ACCESS_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        # SNS.
        "AuthorizationError",
        # S3, for HEAD requests, which have no body.
        "Forbidden",
        "403",
        # SQS, for the key of a queue.
        "KMS.AccessDeniedException",
        # EC2.
        "UnauthorizedOperation",
    }
)
NOT_FOUND = frozenset(
    {
        # SQS's query protocol.
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        # IAM.
        "NoSuchEntity",
        "NoSuchLifecycleConfiguration",
        "NotFound",
        "NotFoundException",
        "PipelineNotFoundException",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "StateMachineDoesNotExist",
    }
)
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        # S3.
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# The service, or the endpoint in its place, does not know the request.
NOT_OFFERED = frozenset({"InvalidAction", "UnknownOperationException", "UnsupportedOperation"})
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
# CloudFormation's code for a missing stack; otherwise it means a malformed request.
NO_SUCH_STACK = "ValidationError"

_NOT_FOUND_SUFFIXES = ("NotFound", "NotFoundException")


def error_code(error: ClientError) -> str:
    """Return the error code of a response, such as `AccessDenied`; empty if there is none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_access_denied(error: ClientError) -> bool:
    """Return whether the caller lacks a permission."""
    return error_code(error) in ACCESS_DENIED


def is_not_found(error: ClientError) -> bool:
    """Return whether the resource does not exist."""
    code = error_code(error)
    return code in NOT_FOUND or code.endswith(_NOT_FOUND_SUFFIXES)


def is_not_offered(error: ClientError) -> bool:
    """Return whether the service does not know the request, in this Region or on this engine."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error_code(error) in NOT_OFFERED or status == http.HTTPStatus.NOT_IMPLEMENTED


def is_throttled(error: ClientError) -> bool:
    """Return whether AWS throttled the request."""
    return error_code(error) in THROTTLED


def is_fatal(error: ClientError) -> bool:
    """Return whether every other request would fail too: throttled, or credentials expired."""
    return is_throttled(error) or error_code(error) in EXPIRED
