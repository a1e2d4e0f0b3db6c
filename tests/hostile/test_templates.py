"""Whatever a template holds, `check` ends soon, reads only what it may, and prints no commands."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failure_destinations.audit import Journal, JournalError
from failure_destinations.check.files import MAX_BYTES, MAX_DEPTH, TemplateError
from failure_destinations.check.json_values import MAX_DIGITS, load_json
from failure_destinations.check.paths import Checked
from failure_destinations.cli.group import cli

from ..check import callers
from ..check.callers import ARN, one, template
from ..cli.sarif_schema import SARIF

TOKEN = "AKIAIOSFODNN7EXAMPLE"
FORMATS = ("text", "json", "sarif", "github")
GENERATED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
AT_LENGTH = settings(GENERATED, max_examples=10_000)
LOST = template(callers.bucket(ARN))


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


def write(name: str, content: Any) -> str:
    """Write a file and return its name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return name


def run(*arguments: str) -> Result:
    """Run the command; it must not raise."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def check(*arguments: str) -> Result:
    """Run `check`, which exits as it is documented to."""
    result = run("check", *arguments)
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    return result


# Time.


def work(function: Callable[[], Any]) -> int:
    """Return the number of calls of functions, in Python and in C, that a function takes."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def read(folder: Path) -> Checked:
    """Read a folder's template, and the files that it names."""
    checked = Checked()
    checked.add(folder / "template.yaml")
    return checked


def numbers(folder: Path, size: int) -> None:
    """Write a template with many numbers to the base of 60."""
    (folder / "template.yaml").write_text(
        "Resources: {}\nNumbers:\n" + "- 1:59:59\n- 17\n- 0x1f\n" * size
    )


def merges(folder: Path, size: int) -> None:
    """Write a template that merges mappings of mappings."""
    levels = "".join(f"L{i}: &l{i}\n  <<: [*l{i - 1}, *l{i - 1}]\n" for i in range(1, 6))
    pairs = "".join(f"  k{i}: 1\n" for i in range(size))
    (folder / "template.yaml").write_text(f"Resources: {{}}\nL0: &l0\n{pairs}{levels}")


def aliases(folder: Path, size: int) -> None:
    """Write a template whose aliases repeat one another."""
    levels = "".join(f"L{i}: &l{i} [*l{i - 1}, *l{i - 1}]\n" for i in range(1, 8))
    values = ", ".join(["a"] * size)
    (folder / "template.yaml").write_text(f"Resources: {{}}\nL0: &l0 [{values}]\n{levels}")


def resources(folder: Path, size: int) -> None:
    """Write a template with many functions and rules."""
    many: dict[str, Any] = {}
    for i in range(size):
        many[f"F{i}"] = callers.FUNCTION
        arn = {"Fn::GetAtt": [f"F{i}", "Arn"]}
        many[f"R{i}"] = callers.rule(arn)["Caller"]
    (folder / "template.yaml").write_text(json.dumps({"Resources": many}))


def includes(folder: Path, size: int) -> None:
    """Write a template that includes one file many times."""
    include = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "a.yaml"}}}
    (folder / "a.yaml").write_text("A: 1\nB: 2\n")
    (folder / "template.yaml").write_text(
        json.dumps({"Resources": {f"R{i}": include for i in range(size)}})
    )


def nested_stacks(folder: Path, size: int) -> None:
    """Write a template with many nested stacks, all of one file."""
    stack = one("AWS::CloudFormation::Stack", {"TemplateURL": "nested.yaml"})
    (folder / "nested.yaml").write_text("Resources: {A: {Type: AWS::SQS::Queue}}")
    (folder / "template.yaml").write_text(
        json.dumps({"Resources": {f"S{i}": stack for i in range(size)}})
    )


@pytest.mark.parametrize("writes", [numbers, merges, aliases, resources, includes, nested_stacks])
@settings(GENERATED, max_examples=6)
@given(size=st.integers(min_value=20, max_value=80))
def test_takes_twice_the_work_for_twice_the_input(
    writes: Callable[[Path, int], None], size: int
) -> None:
    """Work, counted in calls, grows linearly with a template and the files that it names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work(lambda: read(folder))
        writes(folder, size)
        once = work(lambda: read(folder))
        writes(folder, 2 * size)
        assert work(lambda: read(folder)) <= 2.3 * once + 500


@pytest.mark.soak
def test_reads_each_of_multiplying_nested_stacks_once() -> None:
    """Nine templates with ten stacks each of the next one are not read a thousand million times."""
    for level in range(9):
        stack = one("AWS::CloudFormation::Stack", {"TemplateURL": f"{level + 1}.json"})
        filling = {f"Q{i}": one("AWS::SQS::Queue", {"Name": "q" * 9}) for i in range(150)}
        write(f"{level}.json", {"Resources": {**{f"S{i}": stack for i in range(10)}, **filling}})
    write("9.json", LOST)
    result = check("0.json")
    assert result.exit_code == 2
    assert "has more than 2,000,000 values" in result.stderr


LONG = {
    "sexagesimal": "Resources: {}\nA: 1" + ":59" * 300_000,
    "sexagesimal fraction": "Resources: {}\nA: 1" + ":59" * 300_000 + ".5",
    "decimal": "Resources: {}\nA: " + "1" * 900_000,
    "octal": "Resources: {}\nA: 0" + "7" * 900_000,
    "hexadecimal": "Resources: {}\nA: 0x" + "f" * 900_000,
    "binary": "Resources: {}\nA: 0b" + "1" * 900_000,
    "digits in JSON": '{"Resources": {}, "A": ' + "1" * 900_000 + "}",
    "digits as property": json.dumps({"Resources": {"A": one("AWS::Events::Rule", {})}}).replace(
        "{}", '{"Targets": [{"Arn": ' + "1" * 100_000 + "}]}"
    ),
    "fraction in JSON": '{"Resources": {}, "A": 0.' + "1" * 900_000 + "}",
    "empty integer": 'Resources: {}\nA: !!int ""',
    "empty float": 'Resources: {}\nA: !!float ""',
    "not a boolean": "Resources: {}\nA: !!bool maybe",
    "not bytes": "Resources: {}\nA: !!binary é",
    "odd keys": "Resources: {1: {Type: 2}, null: {Type: AWS::S3::Bucket}, 1.5: {}, true: [1]}",
    "deep lists": "Resources: {}\nA: " + "[" * 100_000,
    "deep mappings": "Resources: {}\nA: " + "{a: " * 100_000,
    "deep blocks": "Resources:\n " + "- " * 100_000,
    "deep JSON": '{"Resources": {}, "A": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "rather deep JSON": '{"Resources": {}, "A": ' + "[" * 900 + "]" * 900 + "}",
    "merged into itself": "Resources: {}\nA: &a\n  <<: *a\n",
    "contains itself": "Resources: &a\n  A: *a\n",
    "laughs": "A: &l0 [lol]\n"
    + "".join(f"L{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
    + "Resources: {A: {Type: AWS::S3::Bucket, Properties: *l11}}",
    "merged laughs": "L0: &l0 {a: 1}\n"
    + "".join(f"L{i}: &l{i}\n  <<: [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
    + "Resources: {}",
}


@pytest.mark.parametrize("name", LONG)
def test_reads_or_refuses_long_and_deep_values(name: str) -> None:
    """A number, a list or an alias without end is a text, an error line or nothing."""
    result = check(write("template.yaml", LONG[name]), "--json")
    assert result.exit_code in (0, 2)
    assert len(result.stderr.splitlines()) <= 1
    if result.exit_code == 2:
        assert result.stderr.startswith("failure-destinations: template.yaml:")


@GENERATED
@given(st.integers(min_value=1, max_value=3 * MAX_DIGITS))
def test_keeps_numbers_of_any_length(digits: int) -> None:
    """A number in JSON is an integer of up to 1,000 digits, and a text beyond."""
    loaded = load_json("7" * digits)
    assert isinstance(loaded, int if digits <= MAX_DIGITS else str)


def test_refuses_a_depth_that_it_states() -> None:
    """The bound is the documented one."""
    for depth, status in ((MAX_DEPTH - 10, 0), (MAX_DEPTH + 10, 2)):
        text = '{"Resources": {}, "A": ' + "[" * depth + "]" * depth + "}"
        assert check(write("template.json", text)).exit_code == status


# Files.


def include(location: str) -> dict[str, Any]:
    """Return a template that includes a file."""
    transform = {"Name": "AWS::Include", "Parameters": {"Location": location}}
    return template(callers.bucket(ARN), {"Odd": {"Fn::Transform": transform}})


def nested(location: str) -> dict[str, Any]:
    """Return a template with a nested stack."""
    return template({"N": one("AWS::CloudFormation::Stack", {"TemplateURL": location})})


def definition(location: str) -> dict[str, Any]:
    """Return a template with a state machine that is defined in a file."""
    machine = one("AWS::StepFunctions::StateMachine", {"DefinitionS3Location": location})
    return template({"M": machine})


def document(location: str) -> dict[str, Any]:
    """Return a template with an API that is defined in a file."""
    return template({"A": one("AWS::ApiGateway::RestApi", {"BodyS3Location": location})})


def outside() -> str:
    """Return a file beside the project's folder."""
    Path("../credentials.yaml").write_text(f"Type: {TOKEN}\nResources: {{A: {{Type: {TOKEN}}}}}")
    return "../credentials.yaml"


def absolute() -> str:
    """Return the same file by its absolute path."""
    return str(Path(outside()).resolve())


def link() -> str:
    """Return a link in the folder that leads out of it."""
    Path("link.yaml").symlink_to(outside())
    return "link.yaml"


def linked_folder() -> str:
    """Return a file in a linked folder."""
    outside()
    Path("linked").symlink_to("..")
    return "linked/credentials.yaml"


def kernel_log() -> str:
    """Return a file whose reader waits."""
    return "/proc/kmsg"


def environment() -> str:
    """Return the environment of the process."""
    return "/proc/self/environ"


def fifo() -> str:
    """Return a FIFO that nobody writes."""
    os.mkfifo("fifo.yaml")
    return "fifo.yaml"


def sparse() -> str:
    """Return a file of 60 GB that takes no room."""
    with Path("sparse.yaml").open("wb") as file:
        file.truncate(60 * 1024**3)
    return "sparse.yaml"


def device() -> str:
    """Return a device without end, behind a link."""
    Path("zero.yaml").symlink_to("/dev/zero")
    return "zero.yaml"


def circle() -> str:
    """Return a link to itself."""
    Path("circle.yaml").symlink_to("circle.yaml")
    return "circle.yaml"


PLACES = [include, nested, definition, document]
LEADING_OUT = [outside, absolute, link, linked_folder, kernel_log, environment, device]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", [*LEADING_OUT, fifo, sparse])
def test_refuses_a_file_that_a_template_may_not_name(
    place: Callable[[str], Any], target: Callable[[], str]
) -> None:
    """One line says so, and nothing of the file is printed."""
    result = check(write("template.json", place(target())), "--json")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    said = "is outside ." if target in LEADING_OUT else "is (not a regular file|larger than 64 MB)"
    assert re.search(said, line)
    assert TOKEN not in result.output


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["\ud800", "a\0b", "a" * 5_000, "missing.yaml", ".", ""])
def test_survives_a_path_that_no_file_has(place: Callable[[str], Any], location: str) -> None:
    """What is not there leaves open what it says."""
    assert check(write("template.json", place(location)), "--fail-on", "never").exit_code == 0


def test_survives_a_link_in_a_circle() -> None:
    """It leads to no file."""
    assert check(write("template.json", nested(circle()))).exit_code in (0, 2)


@pytest.mark.parametrize("target", [outside, link, linked_folder])
def test_reads_below_the_folder_that_the_user_names(target: Callable[[], str]) -> None:
    """Projects that share templates say where they are."""
    name = write("template.json", nested(target()))
    result = check(name, "--root", "..", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["templates"] == 2


@pytest.mark.parametrize("target", [fifo, sparse, device])
def test_refuses_to_check_what_is_not_a_regular_file(target: Callable[[], str]) -> None:
    """The user may name one by mistake."""
    name = target()
    result = check(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"failure-destinations: {name}: ")


def test_reads_a_file_that_is_refused_once() -> None:
    """A template may name it as often as it likes: it is one line."""
    transform = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "a.yaml"}}}
    stack = one("AWS::CloudFormation::Stack", {"TemplateURL": "a.yaml"})
    write("a.yaml", "A: [")
    many = {f"{name}{i}": one for i in range(99) for name, one in (("T", transform), ("S", stack))}
    assert len(check(write("template.json", {"Resources": many})).stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["a" * 5_000, "a/" * 3_000, "\udcff.json"])
def test_refuses_a_name_that_no_file_can_have(name: str) -> None:
    """In one line, and printable."""
    result = check(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert_printable(result.stderr)


@pytest.mark.parametrize("file", ["../outside.json", "/proc/kmsg"])
def test_refuses_what_a_manifest_names_outside_its_folder(file: str) -> None:
    """A `cdk.out` may come from somebody else, too."""
    write("outside.json", LOST)
    artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": file}}
    write("cdk.out/manifest.json", {"artifacts": {"A": artifact}})
    result = check("cdk.out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is outside cdk.out" in result.stderr


def test_bounds_what_it_reads_of_a_file() -> None:
    """The size that the documentation states."""
    Path("large.yaml").write_bytes(b" " * (MAX_BYTES + 1))
    assert "is larger than 64 MB" in check("large.yaml").stderr


# Text.

ODD_TEXTS = [
    "a\n::error::b",
    "::add-mask::a",
    " \t::stop-commands::a",
    "##[add-mask]a",
    "a\r\n##[error]b",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\x85b\u2028c\u2029d",
    "\u202ereversed\u2066",
    "\ufeffa\u200bb",
    "\ud800",
    "\x00\x7f",
    "[click](https://example.com)",
    "%0A::error::a",
    "a,b:c",
    "{0} {callers} {{",
    "\ue0000\ue001",
]


def odd_template(text: str) -> dict[str, Any]:
    """Return a template with a text wherever a finding may show one."""
    return {
        "Resources": {
            f"F{text}": {**callers.FUNCTION, "Metadata": {"aws:cdk:path": f"{text}/F/Resource"}},
            text: callers.rule({"Fn::GetAtt": [f"F{text}", "Arn"]})["Caller"],
            f"R{text}": callers.rule(f"arn:aws:lambda:eu-west-1:1:function:{text}")["Caller"],
            f"S{text}": one("AWS::CloudFormation::Stack", {"TemplateURL": text}),
            f"T{text}": one(f"Custom::{text}", {"ServiceToken": text}),
            f"M{text}": one("AWS::StepFunctions::StateMachine", {"DefinitionS3Location": text}),
            f"C{text}": one(
                "AWS::Lambda::EventInvokeConfig",
                {
                    "FunctionName": {"Ref": f"F{text}"},
                    "Qualifier": text,
                    "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sqs:{text}"}},
                },
            )
            | {"Condition": text},
            f"D{text}": one(
                "AWS::Events::Rule",
                {
                    "Targets": [
                        {
                            "Arn": {"Fn::GetAtt": [f"F{text}", "Arn"]},
                            "DeadLetterConfig": {"Arn": f"arn:aws:sqs:a:1:{text}.fifo"},
                            "RetryPolicy": {"MaximumRetryAttempts": text},
                        }
                    ]
                },
            ),
        },
        "Transform": text,
    }


def is_obeyed(line: str) -> bool:
    """Return whether GitHub's runner takes a line for a command of somebody else's."""
    return "##[" in line or (
        line.strip().startswith("::")
        and re.match(r"::(error|warning|notice) (file=|title=)", line) is None
    )


def assert_printable(printed: str) -> None:
    """Fail if a terminal or log would obey what is printed."""
    for line in printed.split("\n"):
        odd = [one for one in line if not one.isprintable() and unicodedata.category(one) != "Zs"]
        assert odd == []
        assert not is_obeyed(line), line


def assert_fit_to_print(checked: dict[str, Any], formats: Iterable[str] = FORMATS) -> None:
    """Check a template in these formats, and fail if a terminal or log would obey the output."""
    name = write("template.json", checked)
    for format in formats:
        result = check(name, "--format", format)
        assert_printable(result.stdout)
        assert_printable(result.stderr)
        if format == "json":
            json.loads(result.stdout)
        if format == "sarif":
            sarif = json.loads(result.stdout)
            jsonschema.validate(sarif, SARIF)
            for one_result in sarif["runs"][0]["results"]:
                assert "](" not in one_result["message"]["text"].replace("\\](", "")


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_prints_nothing_that_is_obeyed(text: str) -> None:
    """Names of a template start no line, colour or command, in any format."""
    assert_fit_to_print(odd_template(text))


ODD_NAMES = (
    st.lists(
        st.sampled_from([*ODD_TEXTS, ":", "#", "[", "]", "(", "\n", "\r", " ", "%"])
        | st.text(max_size=3)
        | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co"]),
        max_size=6,
    )
).map("".join)


@pytest.mark.soak
@GENERATED
@given(ODD_NAMES)
def test_prints_no_generated_name_that_is_obeyed(text: str) -> None:
    """The same for names that nobody thought of."""
    assert_fit_to_print(odd_template(text))


@pytest.mark.soak
@AT_LENGTH
@given(text=ODD_NAMES, format=st.sampled_from(sorted(FORMATS)))
def test_prints_none_of_many_names_that_is_obeyed(text: str, format: str) -> None:
    """The same for 10,000 of them."""
    assert_fit_to_print(odd_template(text), [format])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["a\n::error::b", "\x1b[31m", "a\u202eb", "a%2Fb c#d?é,:"])
def test_prints_the_names_of_files(name: str, format: str) -> None:
    """So do names of files, which a pull request may bring."""
    result = check(write(f"{name}.json", LOST), f"{name}-missing.json", "--format", format)
    assert result.exit_code == 2
    assert_printable(result.stdout + result.stderr)
    if format == "sarif":
        (found,) = json.loads(result.stdout)["runs"][0]["results"]
        uri = found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9%._~/-]+", uri)
        assert unquote(uri) == f"{name}.json"


def test_accepts_a_finding_whose_name_is_not_text() -> None:
    """A lone surrogate has a fingerprint, in a baseline and in SARIF."""
    name = write("template.json", odd_template("\ud800"))
    check(name, "--write-baseline", "accepted.json")
    assert check(name, "--baseline", "accepted.json").exit_code == 0
    assert check(name, "--format", "sarif").exit_code == 1


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD_TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::Sub", "Fn::Join", "Type", "Properties", *ODD_TEXTS]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@GENERATED
@given(junk=JUNK, text=st.sampled_from(ODD_TEXTS))
def test_prints_nothing_of_junk_that_is_obeyed(junk: Any, text: str) -> None:
    """Whatever stands for a resource."""
    assert_fit_to_print({"Resources": {text: junk, "A": one("AWS::Events::Rule", junk)}})


@pytest.mark.soak
@AT_LENGTH
@given(junk=JUNK, text=st.sampled_from(ODD_TEXTS), format=st.sampled_from(sorted(FORMATS)))
def test_prints_nothing_of_much_junk_that_is_obeyed(junk: Any, text: str, format: str) -> None:
    """The same for 10,000 resources."""
    rule = one("AWS::Events::Rule", junk)
    assert_fit_to_print({"Resources": {text: junk, "A": rule}}, [format])


ANY_TEXT = st.text(alphabet="{}[]:,&*!<>-?|'\"#%@ \n\tRef0x1.5é\u2028", max_size=80)


def assert_survives(text: str) -> None:
    """Check a template that ends in a text: it is a template, or one line on stderr."""
    result = check(write("template.yaml", f"Resources:\n  A: 1\n{text}"))
    assert_printable(result.stdout + result.stderr)
    assert len(result.stderr.splitlines()) == (result.exit_code == 2)


@GENERATED
@given(ANY_TEXT)
def test_survives_any_text_as_a_template(text: str) -> None:
    """A file is a template or one line on stderr."""
    assert_survives(text)


@pytest.mark.soak
@AT_LENGTH
@given(ANY_TEXT)
def test_survives_many_texts_as_templates(text: str) -> None:
    """The same for 10,000 of them."""
    assert_survives(text)


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\n::error::b", "##[error]a"])
def test_prints_what_sam_refuses(name: str) -> None:
    """The translator quotes the template in its messages."""
    function = one("AWS::Serverless::Function", {name: name, "Handler": [name]})
    sam = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {name: function}}
    result = check(write("template.json", sam))
    assert result.exit_code == 2
    assert_printable(result.stderr)
    assert len(result.stderr.splitlines()) == 1


# Surroundings.

SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Report:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: index.handler, CodeUri: src/}
"""


def test_needs_no_profile_of_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not configured does not stop what asks no account."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert check(write("template.yaml", SAM)).exit_code == 0


@pytest.mark.parametrize("url", ["nonsense", "", "http://", "ftp://a", "https://a b"])
def test_refuses_an_endpoint_that_is_not_an_address(url: str) -> None:
    """In one line."""
    result = run("audit", "--region", "eu-west-1", "--endpoint-url", url)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_prints_no_password_of_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens there, and the message says so without it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url = "http://user:secret@127.0.0.1:9"
    result = run("audit", "--region", "eu-west-1", "--endpoint-url", url)
    assert result.exit_code == 2
    assert "secret" not in result.output


# The journal of an audit.


def test_follows_no_link_of_a_journal() -> None:
    """Neither for the file itself, nor for the one that takes its place."""
    victim = Path("victim")
    victim.write_text("mine")
    Path("state.new").symlink_to(victim)
    journal = Journal(Path("state"), {"account": "1"})
    journal.add("a", [1])
    journal.close()
    assert victim.read_text() == "mine"
    Path("link").symlink_to(victim)
    with pytest.raises(JournalError, match="link is not a regular file"):
        Journal(Path("link"), {"account": "1"})


def test_does_not_wait_for_a_journal() -> None:
    """A FIFO is not the file of an audit."""
    os.mkfifo("fifo")
    with pytest.raises(JournalError, match="fifo is not a regular file"):
        Journal(Path("fifo"), {"account": "1"})


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o777])
def test_keeps_a_journal_to_the_user(mode: int) -> None:
    """Whatever the modes of the file that it continues."""
    state = Path("state")
    Journal(state, {"account": "1"}).close()
    state.chmod(mode)
    journal = Journal(state, {"account": "1"})
    journal.add("a", [1])
    journal.close()
    assert state.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in Path().iterdir()] == ["state"]
    assert Journal(state, {"account": "1"}).found == 1


def test_passes_over_what_is_not_an_answer() -> None:
    """A line of a journal may be anything."""
    lines = ['{"audit": 1, "account": "1"}', "[" * 100_000, "1" * 5_000, '["a", [1]]', "\0"]
    write("state", "\n".join(lines))
    assert Journal(Path("state"), {"account": "1"}).found == 1


def test_is_an_error_for_people() -> None:
    """A template that cannot be read is one printable line in Python too."""
    checked = Checked()
    checked.add(Path("missing.json"))
    assert checked.problems == ["missing.json: does not exist"]
    assert issubclass(TemplateError, Exception)
