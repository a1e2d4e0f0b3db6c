"""What an engine refuses from web pages, and what its Lambda functions see of the user."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from failure_destinations.testing import LocalCloud
from failure_destinations.testing.engines.loopback_only import refusal

HANDLERS = {
    "python3.12": (
        "index.py",
        """\
import os, pathlib
def handler(event, context):
    home = pathlib.Path.home()
    return {"variables": dict(os.environ), "home": str(home), "aws": (home / ".aws").exists()}
""",
    ),
    "nodejs22.x": (
        "index.js",
        """\
const fs = require("node:fs"), os = require("node:os");
exports.handler = async () => ({
    variables: process.env, home: os.homedir(), aws: fs.existsSync(os.homedir() + "/.aws"),
});
""",
    ),
}


@pytest.fixture(params=[pytest.param("localemu", marks=pytest.mark.soak), "ministack"])
def cloud(request: pytest.FixtureRequest) -> LocalCloud:
    """Each engine, started from a shell and a home directory that hold a secret."""
    cloud: LocalCloud = request.getfixturevalue(request.param)
    return cloud


def archive(runtime: str) -> bytes:
    """Return the code of a handler, packed as Lambda takes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(*HANDLERS[runtime])
    return packed.getvalue()


def definition(cloud: LocalCloud, name: str, runtime: str, code: Any) -> dict[str, Any]:
    """Return what `CreateFunction` takes."""
    return {
        "FunctionName": name,
        "Runtime": runtime,
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{cloud.account}:role/any",
        "Code": {"ZipFile": code},
    }


def post(cloud: LocalCloud, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Post unsigned, as a page in a browser can, and return the status and the answer."""
    connection = http.client.HTTPConnection(urlsplit(cloud.url).netloc, timeout=30)
    connection.request("POST", path, body, {"Content-Type": "text/plain", **headers})
    answer = connection.getresponse()
    result = answer.status, answer.read()
    connection.close()
    return result


@pytest.mark.integration
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "file://"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80", "Origin": "http://evil.example"},
        {"Host": "id.execute-api.evil.example", "Origin": "http://evil.example"},
        {"Host": "bucket.s3.evil.example", "Origin": "http://evil.example"},
        {"Referer": "https://evil.example/page"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: ",".join(f"{name}={value}" for name, value in headers.items()),
)
def test_web_pages_cannot_create_a_function(cloud: LocalCloud, headers: dict[str, str]) -> None:
    """A page from elsewhere gets 403, and does not create the function."""
    code = b64encode(archive("python3.12")).decode()
    body = json.dumps(definition(cloud, "planted", "python3.12", code)).encode()
    status, _answer = post(cloud, "/2015-03-31/functions", headers, body)
    names = [one["FunctionName"] for one in cloud.client("lambda").list_functions()["Functions"]]
    assert (status, "planted" in names) == (403, False)


@pytest.mark.integration
@pytest.mark.parametrize(
    "path", ["/bucket", "/", "/_aws/sqs/messages", "/restapis/a/b/_user_request_/"]
)
def test_no_path_answers_web_pages(cloud: LocalCloud, path: str) -> None:
    """Services with rules of their own on origins, and an engine's own pages, refuse them, too."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        status, answer = post(cloud, path, headers, b"")
        assert status == 403
        assert b"engine" in answer


@pytest.mark.integration
def test_programs_and_pages_on_this_machine_are_answered(cloud: LocalCloud) -> None:
    """The same request, without a page or from one on this machine, creates the function."""
    port = urlsplit(cloud.url).port
    requests: list[dict[str, str]] = [
        {},
        {"Host": f"localhost:{port}"},
        {"Origin": "http://localhost:3000"},
    ]
    code = b64encode(archive("python3.12")).decode()
    for number, headers in enumerate(requests):
        body = json.dumps(definition(cloud, f"own{number}", "python3.12", code)).encode()
        status, answer = post(cloud, "/2015-03-31/functions", headers, body)
        assert status == 201, answer


@pytest.mark.integration
@pytest.mark.parametrize("runtime", HANDLERS)
def test_handlers_see_nothing_of_the_user(cloud: LocalCloud, runtime: str, secret: str) -> None:
    """Neither variables of the shell reach a handler nor the home directory with credentials."""
    name = f"looks-{runtime.partition('.')[0]}"
    client = cloud.client("lambda")
    client.create_function(**definition(cloud, name, runtime, archive(runtime)))
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    seen = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, seen
    assert seen["aws"] is False
    assert seen["home"] != str(Path.home())
    assert [name for name, value in seen["variables"].items() if secret in value] == []


PIECES = ["localhost", "127.0.0.1", "[::1]", ".", "@", ":", ":80", "a", "%", " ", "\\", "\t"]


def foreign_names() -> Iterator[str]:
    """Yield 22,621 names that end in somebody else's domain."""
    for length in range(5):
        for pieces in itertools.product(PIECES, repeat=length):
            yield f"{''.join(pieces)}evil.example"


@pytest.mark.parametrize("port", ["", ":80"])
def test_no_name_of_another_domain_passes(port: str) -> None:
    """Whatever precedes somebody else's domain in a Host or an Origin, it is refused."""
    passed = [
        name
        for name in foreign_names()
        if refusal([("Host", f"{name}{port}")]) is None
        or refusal([("Host", "localhost"), ("Origin", f"https://{name}{port}")]) is None
    ]
    assert passed == []


@pytest.mark.parametrize(
    "name",
    ["127.0.0.1", "127.0.0.1:4566", "localhost", "LOCALHOST:80", "[::1]:4566", "a.localhost"],
)
def test_names_of_this_machine_pass(name: str) -> None:
    """The names under which an engine is reached are answered."""
    assert refusal([("host", name), ("origin", f"http://{name}")]) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "localhost"), ("Host", "evil.example")],
        [("Host", "")],
        [("Host", "localhost.evil.example")],
        [("Host", "evillocalhost")],
        [("Host", "127.0.0.1@evil.example")],
        [("Host", "0.0.0.0")],
        [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.example")],
        [("Host", "localhost"), ("Origin", "")],
        [("Host", "localhost"), ("Origin", "http://[")],
        [("Host", "localhost"), ("Origin", "ftp://localhost")],
    ],
)
def test_rejects_what_does_not_name_this_machine(headers: list[tuple[str, str]]) -> None:
    """Every header counts, and one that cannot be parsed is refused."""
    assert refusal(headers)
