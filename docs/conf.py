"""Configures Sphinx: `make docs`."""

from __future__ import annotations

import os
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from failure_destinations import __version__
from failure_destinations.testing.node import find_node

# Importing the constructs for the reference starts Node.
os.environ.setdefault("JSII_NODE", str(find_node()))

project = "failure-destinations"
author = "failure-destinations contributors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
# A copied console has its commands, without what they print.
copybutton_prompt_text = "$ "
source_suffix = {".md": "markdown"}
# In docstrings `name` links to its place in the reference, if it has one.
default_role = "py:obj"
maximum_signature_line_length = 60

# A table of so many columns does not fit on a phone.
WIDE_TABLE = 4

html_theme = "furo"
html_title = f"failure-destinations {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

# Pages link to headings by the anchors that GitHub gives them.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def setup(app: Sphinx) -> None:
    """Keep napoleon away from properties: it takes text before a colon for a type."""
    written: list[str] = []

    def before(*context: Any) -> None:
        written[:] = context[-1]

    def after(*context: Any) -> None:
        if context[1] == "property":
            context[-1][:] = written

    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
    app.connect("doctree-resolved", label_cells)


def label_cells(_app: Sphinx, doctree: nodes.document, _page: str) -> None:
    """Put the heading of its column into each cell of a wide table, for phones.

    There, site.css shows a row as a block, whose cells are below one another.
    """
    for table in doctree.findall(nodes.table):
        heads = [head.astext() for head in _rows(table, nodes.thead)[0]]
        if len(heads) < WIDE_TABLE:
            continue
        table["classes"].append("wide")
        for row in _rows(table, nodes.tbody):
            for head, cell in zip(heads, row, strict=True):
                cell.insert(0, nodes.paragraph(head, head, classes=["cell-label"]))


def _rows(table: nodes.table, part: type[nodes.Element]) -> list[Any]:
    return [row.children for one in table.findall(part) for row in one.children]
