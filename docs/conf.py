"""Configures Sphinx: `make docs`."""

from __future__ import annotations

import os
from typing import Any

from sphinx.application import Sphinx

from failure_destinations import __version__
from failure_destinations.testing.node import find_node

# Importing the constructs for the reference starts Node.
os.environ.setdefault("JSII_NODE", str(find_node()))

project = "failure-destinations"
author = "failure-destinations contributors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
# In docstrings `name` links to its place in the reference, if it has one.
default_role = "py:obj"
maximum_signature_line_length = 60

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
