"""The partition, Region and account of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .function_names import function_parts

if TYPE_CHECKING:
    from .session import Aws

# arn:partition:service:region:account:resource
_ARN_PARTS = 6


class Location(NamedTuple):
    """The partition, Region and account of a resource.

    Attributes:
        partition: Such as `aws` or `aws-cn`.
        region: Such as `eu-west-1`.
        account: Twelve digits.
    """

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, arn: str) -> Location:
        """Return the location of a resource.

        Args:
            arn: Its ARN.
        """
        _, partition, _, region, account, _ = arn.split(":", _ARN_PARTS - 1)
        return cls(partition, region, account)

    @classmethod
    def of_caller(cls, aws: Aws) -> Location:
        """Return the operator's own account, and the Region to work in.

        Args:
            aws: The account and Region to work in.
        """
        caller = cls.of(aws.client("sts").get_caller_identity()["Arn"])
        return caller._replace(region=aws.session.region_name)

    def contains(self, arn: str) -> bool:
        """Return whether a resource is in this location.

        Args:
            arn: Its ARN.
        """
        return Location.of(arn) == self

    def function_arn(self, function: str) -> str | None:
        """Return the ARN of a function in this location; None if the text names one elsewhere.

        Args:
            function: A name, `NAME:QUALIFIER`, or a full or partial ARN.
        """
        parts = function_parts(function)
        if parts is None or any(
            given not in (None, ours)
            for given, ours in zip(
                parts[:3], (self.partition, self.region, self.account), strict=True
            )
        ):
            return None
        arn = f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{parts.name}"
        return arn if parts.qualifier is None else f"{arn}:{parts.qualifier}"

    def queue_arn(self, url: str) -> str:
        """Return the ARN of a queue in this location.

        Args:
            url: Its URL.
        """
        name = url.rpartition("/")[2]
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{name}"
