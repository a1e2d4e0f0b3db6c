"""Draws how a failure travels, from synthesised templates: `make diagrams`.

Each node is a resource of the template or a mailbox that it subscribes. Each arrow is a reference
or a permission between two of them. What a failure cannot reach is left out; Graphviz does the
layout.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from failure_destinations.testing.node import find_node

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
# Each picture and the example that it shows.
PICTURES = {"architecture.svg": "article", "replay.svg": "replay"}

FONT = "Helvetica, Arial, sans-serif"
# Graphviz measures nodes in a larger font than STYLE sets: readers have wider ones than Helvetica.
GRAPH = f"""
  rankdir=LR; bgcolor=white; pad=0.12; nodesep=0.3; ranksep=0.3
  node [shape=box, style=rounded, fontname="{FONT}", fontsize=17, margin="0.18,0.08"]
  edge [fontname="{FONT}", fontsize=13, penwidth=1.5, arrowsize=0.8]
"""
# An <img> gets no style from the page around it: the picture brings its background and both themes.
STYLE = """
.graph > polygon { fill: #fff }
text { fill: #1f2328 }
.node text { font-weight: 600; font-size: 15px }
.node text + text { font-weight: 400; font-size: 13px; fill: #57606a }
.edge text { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
.node path { fill: #f6f8fa; stroke: #8c959f; stroke-width: 1.5 }
.node.queue path { fill: #ddf4ff; stroke: #0969da }
.node.function path { fill: #fff1e5; stroke: #bc4c00 }
.edge path { stroke: #57606a }
.edge polygon { fill: #57606a; stroke: #57606a }
@media (prefers-color-scheme: dark) {
  .graph > polygon { fill: #131416 }
  text { fill: #e6edf3 }
  .node text + text { fill: #9da7b3 }
  .edge text { stroke: #131416 }
  .node path { fill: #161b22; stroke: #6e7681 }
  .node.queue path { fill: #0c2d4d; stroke: #58a6ff }
  .node.function path { fill: #3b1f0c; stroke: #f0883e }
  .edge path { stroke: #9da7b3 }
  .edge polygon { fill: #9da7b3; stroke: #9da7b3 }
}
"""


@dataclass(frozen=True)
class Node:
    """A resource or a mailbox.

    Attributes:
        name: The name that the picture shows.
        facts: What the picture says about it.
        kind: Its style: schedule, function, topic, queue or mailbox.
    """

    name: str
    facts: str
    kind: str


@dataclass(frozen=True)
class Arrow:
    """What goes from one node to another.

    Attributes:
        source: The logical id that it starts at.
        target: The logical id that it ends at.
        label: What happens.
        broken: Whether it is used only while another hop is broken.
        back: Whether it leads back to where the failure was.
    """

    source: str
    target: str
    label: str
    broken: bool = False
    back: bool = False


@functools.cache
def synthesise(example: str) -> Mapping[str, Any]:
    """Return the template of an example's only stack, with the constructs' paths."""
    with tempfile.TemporaryDirectory() as out:
        environment = os.environ | {
            "CDK_OUTDIR": out,
            "CDK_VALIDATION": "false",
            "JSII_NODE": str(find_node()),
            "CDK_CONTEXT_JSON": '{"aws:cdk:enable-path-metadata": true}',
        }
        folder = ROOT / "examples" / example
        subprocess.run([sys.executable, "app.py"], cwd=folder, env=environment, check=True)
        (template,) = Path(out).glob("*.template.json")
        loaded: Mapping[str, Any] = json.loads(template.read_text())
        return loaded


def target_of(value: Any) -> str:
    """Return the logical id that an intrinsic function refers to."""
    if isinstance(value, Mapping):
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            return str(value["Fn::GetAtt"][0])
    return ""


class Template:
    """A template as nodes and arrows."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._resources: Mapping[str, Any] = template["Resources"]
        self.nodes = dict(self._read_nodes())
        arrows = dict.fromkeys(self._read_arrows())
        reached = _reached(arrows, self._of_type("AWS::Lambda::EventInvokeConfig", "FunctionName"))
        self.arrows = [arrow for arrow in arrows if arrow.source in reached]
        shown = {end for arrow in self.arrows for end in (arrow.source, arrow.target)}
        self.nodes = {id: node for id, node in self.nodes.items() if id in shown}

    def _properties(self, *types: str) -> Iterator[tuple[str, Any]]:
        for id, resource in self._resources.items():
            if resource["Type"] in types:
                yield id, resource.get("Properties", {})

    def _of_type(self, type: str, name: str) -> list[str]:
        return [target_of(properties[name]) for _, properties in self._properties(type)]

    def _name(self, id: str) -> str:
        path = self._resources[id]["Metadata"]["aws:cdk:path"].split("/")
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path[-2]).lower()
        words = words.replace("dead letter", "dead-letter")
        # A function inside a construct is named after the construct.
        return (path[-3].lower() if words == "function" else words).capitalize()

    def _read_nodes(self) -> Iterator[tuple[str, Node]]:
        for id, it in self._properties("AWS::Scheduler::Schedule"):
            yield id, Node(self._name(id), it["ScheduleExpression"], "schedule")
        for id, it in self._properties("AWS::Lambda::Function"):
            yield id, Node(self._name(id), f"Lambda, {it['Runtime']}", "function")
        for id, _ in self._properties("AWS::SNS::Topic"):
            yield id, Node(self._name(id), "SNS", "topic")
        for id, it in self._properties("AWS::SQS::Queue"):
            days = it["MessageRetentionPeriod"] // 86_400
            yield id, Node(self._name(id), f"SQS, keeps {days} days", "queue")
        for id, it in self._properties("AWS::SNS::Subscription"):
            if it["Protocol"].startswith("email"):
                yield id, Node("Mailbox", it["Endpoint"], "mailbox")

    def _read_arrows(self) -> Iterator[Arrow]:
        for id, it in self._properties("AWS::Scheduler::Schedule"):
            target = it["Target"]
            yield Arrow(id, target_of(target["Arn"]), "starts")
            yield Arrow(
                id, target_of(target["DeadLetterConfig"]["Arn"]), "cannot start", broken=True
            )
        for _, it in self._properties("AWS::Lambda::EventInvokeConfig"):
            runs = 1 + it["MaximumRetryAttempts"]
            failed = f"fails {runs} times" if runs > 1 else "fails"
            destination = it["DestinationConfig"]["OnFailure"]["Destination"]
            yield Arrow(target_of(it["FunctionName"]), target_of(destination), failed)
        for id, it in self._properties("AWS::Lambda::Function"):
            if "DeadLetterConfig" in it:
                yield Arrow(id, target_of(it["DeadLetterConfig"]["TargetArn"]), "copy")
        for id, it in self._properties("AWS::SNS::Subscription"):
            topic = target_of(it["TopicArn"])
            mail = id in self.nodes
            yield Arrow(
                topic, id if mail else target_of(it["Endpoint"]), "mail" if mail else "record"
            )
            if "RedrivePolicy" in it:
                dead_letters = target_of(it["RedrivePolicy"]["deadLetterTargetArn"])
                yield Arrow(topic, dead_letters, "cannot deliver", broken=True)
        for _, it in self._properties("AWS::Lambda::EventSourceMapping"):
            function = target_of(it["FunctionName"])
            yield Arrow(target_of(it["EventSourceArn"]), function, "takes")
            yield from self._permitted(function)

    def _permitted(self, function: str) -> Iterator[Arrow]:
        """Yield what only permissions show: what a function invokes and where it sends."""
        role = target_of(self._resources[function]["Properties"]["Role"])
        labels = {"lambda:InvokeFunction": "replays", "sqs:SendMessage": "parks"}
        for _, policy in self._properties("AWS::IAM::Policy"):
            if role not in map(target_of, policy["Roles"]):
                continue
            for statement in policy["PolicyDocument"]["Statement"]:
                for action in _listed(statement["Action"]):
                    for resource in _listed(statement["Resource"]):
                        if action in labels and target_of(resource) in self.nodes:
                            back = action == "lambda:InvokeFunction"
                            yield Arrow(function, target_of(resource), labels[action], back=back)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _reached(arrows: Mapping[Arrow, None], functions: Sequence[str]) -> set[str]:
    """Return the nodes that start one of the functions or that its failure can reach."""
    reached = {*functions, *(arrow.source for arrow in arrows if arrow.target in functions)}
    while more := {a.target for a in arrows if a.source in reached} - reached:
        reached |= more
    return reached


def to_dot(template: Template) -> str:
    """Return the picture in Graphviz' language."""
    nodes = [
        f"  {_quoted(id)} [class={node.kind}, label={_quoted(node.name, node.facts)}]"
        for id, node in template.nodes.items()
    ]
    arrows = [
        f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={_quoted(arrow.label)}"
        f"{', style=dashed' if arrow.broken else ''}{', constraint=false' if arrow.back else ''}]"
        for arrow in template.arrows
    ]
    return "\n".join(["digraph {", GRAPH, *nodes, *arrows, "}\n"])


def _quoted(*lines: str) -> str:
    return json.dumps("\n".join(lines), ensure_ascii=False)


def draw(title: str, template: Template) -> str:
    """Return the picture as SVG.

    Raises:
        subprocess.CalledProcessError: Graphviz cannot draw it; it has printed why.
    """
    renderer = Path(__file__).with_name("render_dot.mjs")
    command = [str(find_node()), str(renderer)]
    drawn = subprocess.run(
        command, input=to_dot(template), stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout
    svg = drawn[drawn.index("<svg") :]
    # Graphviz titles each node and arrow with its logical id, which browsers show on hover.
    svg = re.sub(r"<title>.*?</title>\n", "", svg)
    svg = re.sub(r"<!--.*?-->\n", "", svg)
    # A point of Graphviz is a pixel here, so that font sizes are what they say.
    opening, rest = re.sub(r'(width|height)="(\d+)pt"', r'\1="\2"', svg).split(">", 1)
    head = f' role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>'
    return f"{opening}{head}{rest}"


def picture(name: str) -> str:
    """Return a picture as it is committed."""
    example = PICTURES[name]
    return draw(f"How a failure travels in examples/{example}", Template(synthesise(example)))


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name in PICTURES:
        (IMAGES / name).write_text(picture(name), encoding="utf-8")


if __name__ == "__main__":
    main()
