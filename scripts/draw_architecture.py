"""Draws the ways of a failure from synthesised templates: `make diagrams`.

Each node is a resource of the template, or a mailbox that it subscribes; each arrow a reference or
a permission between two of them. What a failure cannot reach is left out.
"""

from __future__ import annotations

import itertools
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
# The picture and the example that it is of.
PICTURES = {"architecture.svg": "article", "replay.svg": "replay"}

BOX = (188, 62)
GAP = (14, 62)
MARGIN = 12
# The width of a column that arrows only pass.
LANE = 24

# On a background of its own, so that it reads on any page; an <img> gets no style from outside.
STYLE = """
text { font: 600 17px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
.facts { font-weight: 400; font-size: 14px; fill: #57606a }
.label { font-weight: 400; font-size: 14px; fill: #1f2328; paint-order: stroke;
  stroke: #fff; stroke-width: 7px; stroke-linejoin: round }
.page { fill: #fff }
rect.box { fill: #f6f8fa; stroke: #8c959f; stroke-width: 1.5 }
rect.queue { fill: #ddf4ff; stroke: #0969da }
rect.function { fill: #fff1e5; stroke: #bc4c00 }
path { fill: none; stroke: #57606a; stroke-width: 1.8 }
path.broken { stroke-dasharray: 6 4 }
marker path { fill: #57606a; stroke: none }
@media (prefers-color-scheme: dark) {
  text, .label { fill: #e6edf3 }
  .facts { fill: #9da7b3 }
  .label { stroke: #131416 }
  .page { fill: #131416 }
  rect.box { fill: #161b22; stroke: #6e7681 }
  rect.queue { fill: #0c2d4d; stroke: #58a6ff }
  rect.function { fill: #3b1f0c; stroke: #f0883e }
  path { stroke: #9da7b3 }
  marker path { fill: #9da7b3 }
}
"""
TIP = """<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
  orient="auto-start-reverse"><path d="M0 0 10 5 0 10z"/></marker>"""


@dataclass(frozen=True)
class Node:
    """A resource, or a mailbox."""

    name: str
    facts: str
    look: str


@dataclass(frozen=True)
class Arrow:
    """What goes from one node to another.

    Attributes:
        source: Where from.
        target: Where to.
        label: What happens.
        broken: Whether that is so only where another hop is broken.
        back: Whether it leads back to where the failure was.
    """

    source: str
    target: str
    label: str
    broken: bool = False
    back: bool = False


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
        # A construct's own function is called after the construct.
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
        """What only a permission tells: whom a function invokes, and what it sends to."""
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
    """Return what starts one of the functions, and whatever a failure comes to from there."""
    reached = {*functions, *(arrow.source for arrow in arrows if arrow.target in functions)}
    while more := {a.target for a in arrows if a.source in reached} - reached:
        reached |= more
    return reached


@dataclass(frozen=True)
class Layout:
    """Where each node is, and each arrow's stops between the layers: (layer, column)."""

    places: Mapping[str, tuple[int, int]]
    stops: Mapping[Arrow, Sequence[tuple[int, int]]]
    columns: int
    layers: int


def lay_out(nodes: Sequence[str], arrows: Sequence[Arrow]) -> Layout:
    """Place nodes in layers, each below what leads to it.

    An arrow that passes a layer has a stop there, so that it passes between the boxes.
    """
    downwards = [arrow for arrow in arrows if not arrow.back]
    layer = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for arrow in downwards:
            layer[arrow.target] = max(layer[arrow.target], layer[arrow.source] + 1)
    chains: dict[Arrow, list[str]] = {}
    for arrow in arrows:
        first, last = layer[arrow.source], layer[arrow.target]
        step = 1 if first < last else -1
        between = [f"{arrow.source}>{arrow.target}@{n}" for n in range(first + step, last, step)]
        layer.update(zip(between, range(first + step, last, step), strict=True))
        chains[arrow] = [arrow.source, *between, arrow.target]
    rows = [[id for id in layer if layer[id] == n] for n in range(max(layer.values()) + 1)]
    columns = max(map(len, rows))
    links = [pair for chain in chains.values() for pair in itertools.pairwise(chain)]
    place = _columns(rows, [sorted(pair, key=layer.__getitem__) for pair in links], columns)
    spots = {id: (layer[id], place[id]) for id in layer}
    stops = {arrow: [spots[id] for id in chain] for arrow, chain in chains.items()}
    return Layout({id: spots[id] for id in nodes}, stops, columns, len(rows))


def _columns(
    rows: Sequence[Sequence[str]], links: Sequence[Sequence[str]], columns: int
) -> dict[str, int]:
    """Return the column of each node and stop: the best of all, found layer by layer."""
    best: dict[tuple[int, ...], tuple[float, dict[str, int]]] = {(): (0, {})}
    for row in rows:
        between = [(above, below) for above, below in links if below in row]
        found = {}
        for order in itertools.permutations(range(columns), len(row)):
            own = dict(zip(row, order, strict=True))
            off_centre = sum(abs(n - (columns - 1) / 2) for n in order) / 10
            found[order] = min(
                (
                    (cost + off_centre + _cost(before | own, between), before | own)
                    for cost, before in best.values()
                ),
                key=lambda option: option[0],
            )
        best = found
    return min(best.values(), key=lambda option: option[0])[1]


def _cost(place: Mapping[str, int], links: Sequence[tuple[str, str]]) -> float:
    """Rate the arrows between two layers: by crossings, then by how far they lead aside."""
    crossings = sum(
        (place[a] - place[c]) * (place[b] - place[d]) < 0
        for (a, b), (c, d) in itertools.combinations(links, 2)
    )
    return 20 * crossings + sum((place[a] - place[b]) ** 2 for a, b in links)


def draw(title: str, template: Template) -> str:
    """Return the picture."""
    layout = lay_out(list(template.nodes), template.arrows)
    boxed = {column for _, column in layout.places.values()}
    widths = [BOX[0] if column in boxed else LANE for column in range(layout.columns)]
    centres = [
        MARGIN + sum(widths[:column]) + column * GAP[0] + widths[column] / 2
        for column in range(layout.columns)
    ]
    width = 2 * MARGIN + sum(widths) + (layout.columns - 1) * GAP[0]
    height = 2 * MARGIN + layout.layers * BOX[1] + (layout.layers - 1) * GAP[1]

    def centre(spot: tuple[int, int]) -> tuple[float, float]:
        return centres[spot[1]], MARGIN + BOX[1] / 2 + spot[0] * (BOX[1] + GAP[1])

    lines, labels = [], []
    for arrow, stops in layout.stops.items():
        path, label = _curve([centre(stop) for stop in stops])
        look = ' class="broken"' if arrow.broken else ""
        lines.append(f'<path{look} d="{path}" marker-end="url(#tip)"/>')
        labels.append(f'<text class="label" x="{label[0]:g}" y="{label[1]:g}">{arrow.label}</text>')
    boxes = []
    for id, node in template.nodes.items():
        x, y = centre(layout.places[id])
        boxes.append(
            f'<rect class="box {node.look}" x="{x - BOX[0] / 2:g}" y="{y - BOX[1] / 2:g}" '
            f'width="{BOX[0]}" height="{BOX[1]}" rx="8"/>'
            f'<text x="{x:g}" y="{y - 4:g}">{escape(node.name)}</text>'
            f'<text class="facts" x="{x:g}" y="{y + 17:g}">{escape(node.facts)}</text>'
        )
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        TIP,
        f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
        *lines,
        *boxes,
        *labels,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _curve(points: Sequence[tuple[float, float]]) -> tuple[str, tuple[float, float]]:
    """Return an arrow's path and where its label is: on its first stretch."""
    half = BOX[1] / 2 if points[-1][1] > points[0][1] else -BOX[1] / 2
    stops = [(points[0][0] + _side(points[0], points[1]), points[0][1] + half)]
    for x, y in points[1:-1]:
        stops += [(x, y - half), (x, y + half)]
    stops.append((points[-1][0] + _side(points[-1], points[-2]), points[-1][1] - half))
    path = f"M{stops[0][0]:g} {stops[0][1]:g}"
    for index, ((x, y), (to_x, to_y)) in enumerate(itertools.pairwise(stops)):
        middle = (y + to_y) / 2
        bend = f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
        path += f" L{to_x:g} {to_y:g}" if index % 2 else f" {bend}"
    (x, y), (to_x, to_y) = stops[0], stops[1]
    return path, ((x + to_x) / 2, (y + to_y) / 2 + 5)


def _side(box: tuple[float, float], other: tuple[float, float]) -> float:
    """An arrow meets a box on the side that the other end is on, so that labels stand apart."""
    return 0 if box[0] == other[0] else (BOX[0] / 4 if other[0] > box[0] else -BOX[0] / 4)


def picture(name: str) -> str:
    """Return a picture as it is to be committed."""
    example = PICTURES[name]
    return draw(f"The way of a failure in examples/{example}", Template(synthesise(example)))


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name in PICTURES:
        (IMAGES / name).write_text(picture(name), encoding="utf-8")


if __name__ == "__main__":
    main()
