"""The watchdog's code: the folders of this package that `doctor` needs in Lambda."""

from __future__ import annotations

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

from ..runtime_code import PACKAGE

HANDLER = "failure_destinations.watchdog.handler.handler"
# None of them imports more than the standard library and boto3.
FOLDERS = (
    "deployed",
    "doctor",
    "doctor/facts",
    "doctor/gather",
    "doctor/judge",
    "replay",
    "runtime",
    "watchdog",
)


def watchdog_code() -> lambda_.Code:
    """Return the code, as a package of the same name as here.

    The asset is the folder in which this package is installed, without everything else.
    """
    package = PACKAGE.name
    included = [package, f"{package}/*.py"]
    for folder in FOLDERS:
        included += [f"{package}/{folder}", f"{package}/{folder}/*.py"]
    # A leading slash: a folder of another package may have the same name.
    return lambda_.Code.from_asset(
        str(PACKAGE.parent),
        exclude=["*", *(f"!/{path}" for path in included)],
        ignore_mode=IgnoreMode.GIT,
    )
