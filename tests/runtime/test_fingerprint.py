"""Which failed events belong together."""

from __future__ import annotations

import json
import random
import re
import string
import traceback
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failure_destinations.runtime import Fingerprint, fingerprint, normalise, parse
from failure_destinations.runtime.message_pattern import (
    MAX_MESSAGE_CHARACTERS,
    MAX_PATTERN_CHARACTERS,
)

from . import messages

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"
SECTION = DOCS.read_text().partition("### What counts as a value")[2].partition("\n### ")[0]
TABLE = re.findall(r"^\| `(.+)` \| `(.+)` \|$", DOCS.read_text(), re.MULTILINE)


# The list of what stays.
KEPT = [
    example
    for line in re.findall(r"^(?:- \w|- \.NET|  `)[^\n]*", SECTION, re.MULTILINE)
    for example in re.findall(r"`([^`\n]{3,})`", line)
]


def of(error: dict[str, Any], *, function: str = messages.FUNCTION, **context: Any) -> Fingerprint:
    """Return the fingerprint of an event whose handler raised an error."""
    record = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
            **context,
        },
        "requestPayload": {"order": 17},
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": error,
    }
    return fingerprint(parse(messages.message(json.dumps(record))))


def says(message: str, type: str = "ValueError", trace: Iterable[str] = ()) -> Fingerprint:
    """Return the fingerprint of a Python error."""
    return of({"errorType": type, "errorMessage": message, "stackTrace": list(trace)})


@pytest.mark.parametrize(("message", "expected"), TABLE, ids=[row[0][:40] for row in TABLE])
def test_replaces_values_as_the_docs_say(message: str, expected: str) -> None:
    """Each row of the table in the docs is true."""
    assert normalise(message) == expected


def test_the_table_in_the_docs_is_read() -> None:
    """It has rows."""
    assert len(TABLE) >= 23
    assert len(KEPT) >= 22


@pytest.mark.parametrize("example", KEPT)
def test_keeps_names_of_code_as_the_docs_say(example: str) -> None:
    """Each example in the docs' list is its own pattern."""
    assert normalise(example) == example


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", ""),
        ("'order_id'", "*"),
        ("b'\\xff' is not utf-8", "* is not utf-*"),
        ("the user's cart can't be empty", "the user's cart can't be empty"),
        ("“anna” is not in «team» or `staff`", "* is not in * or *"),
        ("it's 'a' and \"b 'c' d\"", "it's * and *"),
        ("amount -17.50 EUR exceeds $1,234.56", "amount * EUR exceeds $*"),
        ("object at 0x7f3a1c2b4d90", "object at *"),
        ("fe80::1%eth0 and 2001:db8::ff00:42:8329 are down", "* and * are down"),
        ("at 2026-11-02T03:03:11.412Z", "at *"),
        ("at 2026-11-02 03:03:11,412+01:00", "at *"),
        ("at Mon, 02 Nov 2026 03:03:11 GMT", "at *"),
        ("at Mon Nov  2 03:03:11 2026", "at *"),
        ("in Mayfair on Monday", "in Mayfair on Monday"),
        ("trace 1-5759e988-bd862e3fe1be46a994272793", "trace *"),
        ("item 01ARZ3NDEKTSV4RRFFQ69G5FAV", "item *"),
        ("session V1StGXR8_Z5jdHi6B-myT", "session *"),
        ("hash deadbeefcafe", "hash *"),
        ("id JBSWYXDPEHPKQPXP is used", "id * is used"),
        ("orderId=abc-def, order_id=xyz", "orderId=*, order_id=*"),
        ("Request ID: ABCDEFGH, RequestId 4442587F", "Request ID: *, RequestId *"),
        ("invalid: this is void: paid", "invalid: this is void: paid"),
        ("GET /orders/17/items?page=2 failed", "GET /orders/*/items failed"),
        ("open C:\\Users\\anna\\x.csv", "open *"),
        ("parse reports/anna.csv", "parse *"),
        ("either input/output or and/or", "either input/output or and/or"),
        ("postgres://shop:secret@db-7.example.com/orders", "postgres://db-*.example.com/orders"),
        ("status 404, HTTP 503, status: 2000", "status 404, HTTP 503, status: *"),
        ("ids [1, 2] of ['a', 'b', 'c']", "ids [*] of [*]"),
        ("got [{'a': {'b': [1]}}] there", "got * there"),
        ("got {'a': 1", "got *"),
        ("ConditionalCheckFailedException", "ConditionalCheckFailedException"),
        ("No module named 'orders.stock'", "No module named 'orders.stock'"),
        ("(reading 'total')", "(reading 'total')"),
        ("a\n\n  b\tc", "a b c"),
        ("bestellung ‘ä’ für größe42", "bestellung * für *"),
    ],
)
def test_tells_values_from_words(message: str, expected: str) -> None:
    """What differs each time becomes `*`; what the error is about stays."""
    assert normalise(message) == expected


RANDOM = random.Random(17)
LETTERS = string.ascii_letters + string.digits


def random_text(characters: str, length: int) -> str:
    """Return text as random as an id; the same in each run of the tests."""
    return "".join(RANDOM.choices(characters, k=length))


def random_uuid() -> str:
    """Return a UUID; the same in each run of the tests."""
    return str(uuid.UUID(int=RANDOM.getrandbits(128), version=4))


IDS: dict[str, Callable[[], str]] = {
    "UUID": random_uuid,
    "number": lambda: str(RANDOM.randrange(10**12)),
    "hex": lambda: random_text("0123456789abcdef", 24),
    "short hash": lambda: random_text("0123456789abcdef", 8),
    "URL-safe base64": lambda: random_text(LETTERS + "-_", 22),
    "base64": lambda: random_text(LETTERS + "+/", 32),
    "prefixed": lambda: f"pi_{random_text(LETTERS, 24)}",
    "S3 request": lambda: random_text(string.ascii_uppercase + string.digits, 16),
    "ULID": lambda: random_text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
    "quoted word": lambda: f"'{random_text('abcdef', 4)}'",
    "ARN": lambda: f"arn:aws:s3:::bucket-{random_text('abcdef', 4)}/{random_text('abc', 4)}",
    "e-mail": lambda: f"{random_text('abcdef', 4)}@example.com",
    "path": lambda: f"/tmp/{random_text('abcdef', 4)}/orders.csv",
    "address": lambda: f"10.0.{RANDOM.randrange(256)}.{RANDOM.randrange(256)}:5432",
}


@pytest.mark.parametrize("kind", IDS)
def test_the_same_error_with_other_ids_is_one_group(kind: str) -> None:
    """Two hundred failures whose messages differ in an id are one group."""
    groups = {says(f"order {IDS[kind]()} has no stock").id for _ in range(200)}
    assert len(groups) == 1


QUOTES = "„“ „” ”” ‚‘ ‚’ »« ›‹ ‹› 「」 『』 《》"


@pytest.mark.parametrize(
    "texts",
    [
        [
            "dial tcp [2001:db8::1]:443: i/o timeout",
            "dial tcp [2001:db8::1]:54321: i/o timeout",
            "dial tcp [2001:db8:0:1:2:3:4:5]:80: i/o timeout",
            "dial tcp 10.0.3.17:443: i/o timeout",
        ],
        [
            "connect ECONNREFUSED ::1:80",
            "connect ECONNREFUSED ::1:5432",
            "connect ECONNREFUSED ::1:54321",
            "connect ECONNREFUSED fe80::1%eth0:54321",
            "connect ECONNREFUSED 2001:db8:0:1:2:3:4:5:54321",
            "connect ECONNREFUSED 10.0.3.17:5432",
        ],
        [
            "lookup 2001:db8::1: no such host",
            "lookup 2001:db8:0:1:2:3:4:5: no such host",
            "lookup ::1: no such host",
        ],
        [
            "read tcp [fd00::1]:8080->[fd00::2]:5432: reset",
            "read tcp [fd00::1]:38080->[fd00::22]:54321: reset",
        ],
        ["device ab:cd:ef:12:34:56 is off", "device AB-CD-EF-AB-CD-EF is off"],
        [
            "expired at 11/2/2026 3:03:11 AM",
            "expired at 11/12/2026 12:03:11 PM",
            "expired at 11/2/2026, 3:03:11\u202fp.m",
            "expired at 02.11.2026 03:03:11",
            "expired at 2026-11-02 03:03:11 PM",
        ],
        ["closes at 9 AM", "closes at 10:30 pm", "closes at 17:00"],
        *(
            [f"Kunde {quotes[0]}{name}{quotes[1]} fehlt" for name in ("Anna", "Jean Luc", "王")]
            for quotes in QUOTES.split()
        ),
        ["客户'王'不存在", "客户'李雷'不存在", "客户'a b'不存在"],
        ['고객 "김"을 찾을 수 없음', '고객 "이"을 찾을 수 없음'],
        ["user 'Anna' is unknown", "user 'O'Brien' is unknown", "user 'O’Brien' is unknown"],
        ["user ‘Anna’ isn't known", "user ‘O’Brien’ isn't known"],
        ["bad Order(name='Anna', id='a')", "bad Order(name='O'Brien', id='a')"],
        [f"Unexpected token {token} in JSON at position {ord(token)}" for token in "ab7<{'\"}]*"],
        [
            "Unexpected token 'a', \"abc\" is not valid JSON",
            'Unexpected token \'x\', "{"a": x" is not valid JSON',
            'Unexpected token \'"\', ""a"" is not valid JSON',
            "Unexpected token ''', \"[1 a'\"... is not valid JSON",
        ],
        [
            "header 12 af 3b 45",
            "header de ad be ef",
            "header AB CD EF 01 23 DE",
            "header de-ad-be-ef",
        ],
        ["got <Buffer >", "got <Buffer af>", "got <Buffer af 12 ... 50 more bytes>"],
        ["got \\x12\\xaf", "got \\xaf\\xfe\\x12", "got \\xaf"],
    ],
    ids=lambda texts: texts[0][:40],
)
def test_the_same_error_with_other_values_is_one_group(texts: list[str]) -> None:
    """However a value is written."""
    assert len({normalise(text) for text in texts}) == 1
    assert all("*" in normalise(text) for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "it's Anna's cart, isn't it",
        "the users' cart can't be the customers' cart",
        "de la be fa",
        "std::bad_alloc",
        "an AM or PM time",
        "Unexpected token in the text",
        "5 is less: of :443: nothing",
    ],
)
def test_what_only_looks_like_a_value_stays(text: str) -> None:
    """Apostrophes, words of hex digits and colons are in other text too."""
    assert re.sub(r"\d+", "*", text) == normalise(text)


@pytest.mark.parametrize(
    "texts",
    [
        ["name 'foo' is not defined", "name 'bar' is not defined"],
        ["'total'", "'total' is not defined"],
        ["cannot access local variable 'a' where", "cannot access local variable 'b' where"],
        ["cannot access free variable 'a' where", "cannot access local variable 'a' where"],
        ["local variable 'a' referenced before", "local variable 'b' referenced before"],
        [
            "f() missing 1 required positional argument: 'a'",
            "f() missing 1 required positional argument: 'b'",
            "f() missing 2 required positional arguments: 'a' and 'b'",
            "f() missing 2 required positional arguments: 'a' and 'c'",
            "f() missing 3 required positional arguments: 'a', 'b', and 'c'",
            "f() missing 3 required positional arguments: 'a', 'b', and 'd'",
            "f() missing 1 required keyword-only argument: 'a'",
        ],
        ["got multiple values for argument 'a'", "got multiple values for argument 'b'"],
        ["of type 'int'", "argument of type 'int'", "argument of type 'NoneType'"],
        [
            "unsupported operand type(s) for +: 'int' and 'str'",
            "unsupported operand type(s) for +: 'int' and 'NoneType'",
        ],
        ["between instances of 'int' and 'str'", "between instances of 'int' and 'dict'"],
        ["type object 'Order' has no x", "type object 'Stock' has no x"],
        ["property 'a' of 'Order' object", "property 'b' of 'Order' object"],
        ["cannot import name 'a' from 'b' (x)", "cannot import name 'a' from 'c' (x)"],
        ['The "path" argument must be', 'The "cb" argument must be'],
        ["Cannot access 'a' before initialization", "Cannot access 'b' before initialization"],
        ["Cannot find package 'a' imported", "Cannot find package '@b/a' imported"],
        ["Cannot find module './a'", "Cannot find module './b'"],
        ["Cannot destructure property 'a' of 'b'", "Cannot destructure property 'a' of 'c'"],
        ["an export named 'a'", "an export named 'b'"],
        [
            "undefined method 'total' for nil",
            "undefined method 'save' for nil",
            "undefined method '[]' for nil",
            "undefined method `[]' for nil:NilClass",
            "undefined method `total' for nil:NilClass",
            "undefined local variable or method 'total' for main",
        ],
        [
            'Cannot invoke "Order.getTotal()" because "order" is null',
            'Cannot invoke "Order.getName()" because "order" is null',
            'Cannot read field "name" because "order" is null',
            'Cannot read field "total" because "order" is null',
        ],
        [
            "Could not load file or assembly 'A, Version=1.0.0.0, Culture=neutral'.",
            "Could not load file or assembly 'A.B, Version=1.0.0.0, Culture=neutral'.",
            "Could not load type 'A' from assembly 'B, Version=1.0.0.0'.",
            "Could not load type 'C' from assembly 'B, Version=1.0.0.0'.",
        ],
        [
            'column "totl" of relation "orders" does not exist',
            'column "total" of relation "orders" does not exist',
            'column "total" of relation "users" does not exist',
            'relation "orders" does not exist',
            'relation "users" does not exist',
        ],
        ["Unknown column 'a' in 'field list'", "Unknown column 'b' in 'field list'"],
        ["Table 'shop.a' doesn't exist", "Table 'shop.b' doesn't exist"],
        ["Invalid object name 'a'.", "Invalid column name 'a'.", "Invalid column name 'b'."],
        ['violates check constraint "a_check"', 'violates check constraint "b_check"'],
        [
            "ORA-00942: x",
            "ORA-01017: x",
            'ORA-00904: "TOTL": invalid identifier',
            'ORA-00904: "NAM": invalid identifier',
        ],
        ["x (SQLSTATE 23505)", "x (SQLSTATE 23503)", "x (SQLSTATE HY000)"],
        ["SQLSTATE[23000]: x", "SQLSTATE[42S02]: x", "SQLSTATE: 08006: x", "SQLSTATE=08001: x"],
        [
            'Parameter validation failed:\nMissing required parameter in input: "Bucket"',
            'Parameter validation failed:\nMissing required parameter in input: "Key"',
            'Parameter validation failed:\nMissing required parameter in Delete.Objects[0]: "Key"',
            'Parameter validation failed:\nUnknown parameter in input: "Key"',
        ],
        [
            "Missing required environment variable 'DB_URL'",
            "Missing required environment variable 'API_KEY'",
            "Missing required environment variable 'API_KEY_2'",
            "Missing required environment variables: 'API_KEY', 'DB_URL'",
            "Missing required environment variables: 'API_KEY', 'DB_NAME'",
        ],
        *(
            [f"GET https://example.com/17 {verb} {status}" for status in (400, 404, 500, 503)]
            for verb in ("returned", "returned a", "responded with", "answered", "answered with")
        ),
        ["it returned 404 Not Found", "it returned 503 Service Unavailable"],
        ["it returned 404 for order 17", "it returned 503 for order 17", "it returned 17"],
        ["it returned 404.", "it returned 503."],
    ],
    ids=lambda texts: texts[0][:40],
)
def test_different_errors_are_different_groups(texts: list[str]) -> None:
    """What the code, the schema or the answer is makes another error of it."""
    assert len({normalise(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "texts",
    [
        [f'Missing required parameter in Delete.Objects[{at}]: "Key"' for at in (0, 17)],
        [f"f() missing {count} required arguments: 'a' and 'b'" for count in (1, 2)],
        [
            f"Could not load file or assembly 'A, Version={version}'. Not found."
            for version in ("1.0.0.0, Culture=neutral", "2.0.0.0")
        ],
        [
            f'relation "orders_{suffix}" does not exist'
            for suffix in ("2026_11", "17", *(random_uuid().replace("-", "_") for _ in range(99)))
        ],
        [f'column {at} of relation "t-{random_uuid()}"' for at in range(99)],
        ["query returned 404 rows", "query returned 450 rows"],
        ["it returned 404.5", "it returned 503.7"],
        ["it returned 404%", "it returned 40%"],
        ["relation 'anna' of 'otto'", "relation 'anna' of 'emil'"],
        *(
            [text.format(name) for name in ("anna", "otto")]
            for text in (
                "invalid argument '{}'",
                "user name '{}' is not known",
                "no access to '{}'",
                "the value of property '{}'",
                "table '{}' is taken",
                "a parameter in '{}'",
                "could not load '{}'",
                "the method '{}' failed",
            )
        ),
    ],
    ids=lambda texts: texts[0][:40],
)
def test_values_beside_names_of_code_are_values(texts: list[str]) -> None:
    """A name that stays does not keep what is beside it, and only some words keep one."""
    assert len({normalise(text) for text in texts}) == 1


def of_lambda(message: str, type: str) -> Callable[[str], Fingerprint]:
    """Return what makes a record of an error that Lambda itself writes."""
    return lambda request: of(
        {"errorType": type, "errorMessage": f"RequestId: {request} Error: {message}"}
    )


def raised(statement: str) -> Callable[[str], Fingerprint]:
    """Return what makes a record of an error that Python raises while it handles an id."""

    def make(identity: str) -> Fingerprint:
        try:
            exec(compile(statement, "/var/task/shop/orders.py", "exec"), {"id": identity})
        except Exception as error:
            trace = [*traceback.extract_tb(error.__traceback__)][1:]
            return says(str(error), type(error).__name__, traceback.format_list(trace))
        raise AssertionError(statement)

    return make


TWELVE = {
    "key": raised("{}[id]"),
    "number": raised("int(id)"),
    "attribute": raised("id.total"),
    "import": raised("import orders_of_nobody"),
    "file": raised("open('/tmp/' + id)"),
    "json": raised("import json; json.loads('{' + id)"),
    "own": raised("raise ValueError(f'no stock for order {id}')"),
    "index": raised("[][len(id)]"),
    "name": raised("id + nobody"),
    "zero": raised("len(id) / 0"),
    "timeout": of_lambda("Task timed out after 3.00 seconds", "Sandbox.Timedout"),
    "killed": of_lambda("Runtime exited with error: signal: killed", "Runtime.ExitError"),
}


def test_twelve_errors_are_twelve_groups() -> None:
    """Errors as Python and Lambda word them: neither one group, nor one for each id."""
    groups = {
        name: {make(str(uuid.uuid4())).id for _ in range(50)} for name, make in TWELVE.items()
    }
    assert {name: len(ids) for name, ids in groups.items()} == dict.fromkeys(TWELVE, 1)
    assert len(set.union(*groups.values())) == len(TWELVE)


PYTHON_TRACE = (
    '  File "/var/task/index.py", line 6, in handler\n    reserve(event)\n',
    '  File "/var/task/shop/stock.py", line 60, in reserve\n    call()\n',
    '  File "/opt/python/requests/api.py", line 73, in get\n    request()\n',
    '  File "/var/task/urllib3/connection.py", line 9, in connect\n    raise\n',
    '  File "/var/lang/lib/python3.13/socket.py", line 1, in create\n    raise\n',
)


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (PYTHON_TRACE, "shop/stock.py reserve"),
        (PYTHON_TRACE[2:], None),
        (['  File "/app/src/stock.py", line 60, in reserve\n'], "stock.py reserve"),
        (['  File "<string>", line 1, in <module>\n'], None),
        (
            [
                "TypeError: Cannot read properties of undefined (reading 'total')",
                "    at parse (node:internal/url:797:36)",
                "    at get (/var/task/node_modules/axios/index.js:3:11)",
                "    at async reserve (file:///var/task/shop/stock.mjs:3:11)",
                "    at handler (/var/task/index.mjs:9:1)",
            ],
            "shop/stock.mjs reserve",
        ),
        (["Error: x", "    at /var/task/index.js:3:11"], "index.js"),
        (
            ["Error: x", "    at Object.<anonymous> (/var/task/index.js:3)"],
            "index.js Object.<anonymous>",
        ),
        (
            [
                "Error: cannot store",
                "order_17(qty=3) is out of stock",
                "max(price_17) is not a column",
                "shop.Orders.handle(Orders.java:17) failed",
                "at /tmp/in-17.csv:3:1",
                "at Shop.Order17.Handle(Order o)",
                '  File "/tmp/order17.py", line 3, in <module>',
                "/tmp/order17.rb:3:in `handler'",
                "    at handler (/var/task/index.js:3:11)",
            ],
            "index.js handler",
        ),
        (["Error: cannot store", "order_17(qty=3) is out of stock"], None),
        (["Error: cannot store", "order_17(order.java:3)"], None),
        (["/var/lang/lib/ruby/x.rb:1:in `y'", "/var/task/app.rb:3:in `handler'"], "app.rb handler"),
        (
            [
                "java.base/java.util.HashMap.get(HashMap.java:3)",
                "shop.Orders.handle(Orders.java:17)",
            ],
            "shop.Orders.handle",
        ),
        (["shop.Orders.load(Native Method)"], "shop.Orders.load"),
        (["shop.Orders.load(Unknown Source)"], "shop.Orders.load"),
        (["shop.Orders.load(Orders.kt)"], "shop.Orders.load"),
        (["\tat shop.Orders.<init>(Orders.java:17)"], "shop.Orders.<init>"),
        (
            [
                "shop.Orders$$Lambda/0x00007f1234.apply(Unknown Source)",
                "shop.Orders.price-Ab1(Orders.kt:3)",
            ],
            "shop.Orders.price-Ab1",
        ),
        (
            [
                "at System.String.Parse(String s)",
                "at Shop.Orders.Handle(Order o) in /src/O.cs:line 3",
            ],
            "Shop.Orders.Handle",
        ),
        (["at lambda_method1(Closure, Stream)", "at Shop.Orders..ctor()"], "Shop.Orders..ctor"),
        (["   at Shop.Store.Get[T](List`1 ids)"], "Shop.Store.Get"),
        (
            [{"path": "github.com/shop/main.go", "line": 17, "label": "main.handle"}],
            "main.go main.handle",
        ),
        ([["not", "a frame"], 17, None, "{", "at (", "    at "], None),
        ("not a list", None),
        ({"not": "a list"}, None),
        (None, None),
    ],
)
def test_finds_the_frame_of_own_code(trace: Any, expected: str | None) -> None:
    """Nearest to the error, without line number, in every runtime's way to write it."""
    name = "trace" if "TypeError" in str(trace) else "stackTrace"
    error = {"errorType": "E", "errorMessage": "x", name: trace}
    assert of(error).frame == expected


def test_values_in_the_lines_of_a_message_are_no_frames() -> None:
    """Node's trace has each line of a message as an entry."""

    def fails(order: int) -> Fingerprint:
        message = f"cannot store\norder_{order}(qty=3) is out of stock"
        frame = "    at handler (/var/task/index.js:3:11)"
        trace = [*f"Error: {message}".split("\n"), frame]
        return of({"errorType": "Error", "errorMessage": message, "trace": trace})

    assert {fails(order).frame for order in range(200)} == {"index.js handler"}
    assert len({fails(order).id for order in range(200)}) == 1


def test_another_line_is_the_same_group() -> None:
    """A deployment that moves the code does not make a new group."""
    moved = [re.sub(r"line \d+", "line 999", entry) for entry in PYTHON_TRACE]
    assert says("x", trace=moved) == says("x", trace=PYTHON_TRACE)


@pytest.mark.parametrize(
    "other",
    [
        of(
            {"errorType": "ValueError", "errorMessage": "no stock"},
            function=f"{messages.FUNCTION}2",
        ),
        of(
            {"errorType": "ValueError", "errorMessage": "no stock"},
            function=f"{messages.FUNCTION}:live",
        ),
        of({"errorType": "KeyError", "errorMessage": "no stock"}),
        of({"errorType": "ValueError", "errorMessage": "no order"}),
        says("no stock", trace=PYTHON_TRACE),
    ],
    ids=["function", "qualifier", "type", "message", "frame"],
)
def test_each_part_makes_another_group(other: Fingerprint) -> None:
    """Function, qualifier, type, message and frame each count."""
    assert says("no stock").id != other.id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("destination-event-age-exceeded", ("nightly-report", "EventAgeExceeded", "")),
        ("rule-target-dlq", ("nightly-report", "NO_PERMISSIONS", "Lambda denied the invocation.")),
        (
            "schedule-target-dlq",
            (
                "nightly-report",
                "AWS.Lambda.AccessDeniedException",
                "The role may not invoke the function.",
            ),
        ),
        ("function-dlq", (None, "FunctionError", "Something went wrong!")),
    ],
)
def test_groups_events_without_a_response(name: str, expected: tuple[str | None, ...]) -> None:
    """What Lambda never ran, or a dead letter, has a group too."""
    group = fingerprint(parse(messages.stored(name)))
    assert (group.function, group.error_type, group.message) == expected


def test_old_and_new_timeouts_read_the_same() -> None:
    """Lambda's two ways to write a timeout give the same message."""
    identity = uuid.uuid4()
    old = normalise(f"2026-11-02T03:03:11.412Z {identity} Task timed out after 3.00 seconds")
    assert normalise(f"RequestId: {identity} Error: Task timed out after 12.05 seconds") == old


def test_ids_do_not_change_between_releases() -> None:
    """A command of another release finds the group that a mail names."""
    event = parse(messages.stored("destination-alias"))
    assert fingerprint(event) == Fingerprint(
        id="21a514f16b",
        function="nightly-report",
        qualifier="live",
        error_type="RuntimeError",
        message="Something went wrong!",
        frame="index.py handler",
    )


@messages.patient
@given(st.text() | st.text("'\"`{}[]:/@.-+ a1*\\Z\n", max_size=200))
@example("x" * 5000)
@example("'" + "x" * 5000)
@example("\ud800 'a'")
@example("''1")
@example("1''")
@example("a@1.''b'c'")
def test_normalises_any_text(text: str) -> None:
    """The result is one bounded line, and a group for itself."""
    pattern = normalise(text)
    assert len(pattern) <= MAX_PATTERN_CHARACTERS
    assert len(pattern.splitlines()) <= 1
    assert len(says(text).id) == 10
    if len(text) < MAX_PATTERN_CHARACTERS:
        assert normalise(pattern) == pattern


def test_a_long_value_does_not_make_groups() -> None:
    """A quoted value that is longer than what counts is one value all the same."""
    groups = {
        normalise(f"bad value '{'x ' * (MAX_MESSAGE_CHARACTERS + length)}' given")
        for length in range(3)
    }
    assert groups == {"bad value *"}


HOSTILE = [
    *("'", '"', "a", "a-", "/a", '\\"', "{'", "[{", "arn:aws:", "a@", "1:", "Mon ", "2026-11-02T"),
    *("id=", "request id ", "“", "+1", "* ", "GET /", "at a(", "at ", '  File "', "a.", "(:1", " "),
    *("[", "\ud800", "aB", "A1", "    at a.(", "a'b", " b'a", "'a'b ", "„", "”", "‘a’b", "»", "「"),
    *("af ", "af-", "::", "[a:", "a::1:", "<Buffer ", "<Buffer af ", "\\xaf", "1:11 ", "1/1/11 "),
    *("Unexpected token ", "returned 404 ", "column 'a' ", "required argument: 'a', ", "SQLSTATE"),
    *("environment variables 'a' and ", "parameter in a[", "undefined method '", "relation '*"),
    *("Could not load type 'a,", "property 'a' of ", 'Cannot invoke "', "type(s) for +: 'a' and "),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """At a megabyte: anything more than linear would take hours here."""
    text = unit * (2**20 // len(unit))
    assert len(of({"errorType": text, "errorMessage": text, "stackTrace": [text] * 2}).id) == 10


def test_keeps_the_ends_of_a_long_stack_trace() -> None:
    """Where the error was raised is at one of them; a huge trace stays small in memory."""
    trace = [f"{number} {'x' * 10_000}" for number in range(2000)]
    record = json.loads(messages.record("{}"))
    record["responsePayload"]["stackTrace"] = trace
    kept = parse(messages.message(json.dumps(record))).stack_trace
    assert [entry.split()[0] for entry in kept] == [
        *map(str, range(20)),
        *map(str, range(1980, 2000)),
    ]
    assert {len(entry) for entry in kept} == {400}
