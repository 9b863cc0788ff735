"""The style sheets and the scripts of a page in one file: those of ``runreel ui``, put together."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources

STYLES = ("page.css", "player.css", "file.css")
# Each after those that it imports.
MODULES = (
    *("visible.js", "dom.js", "run_rows.js", "run_scale.js", "run_pixels.js"),
    *("run_small.js", "run_drawing.js", "run_timeline.js", "run_shown.js"),
    *("run_marks.js", "run_place.js", "run_keys.js", "run_player.js", "run_events.js"),
    "file_page.js",
)
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^\s*(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)


@cache
def style() -> str:
    """Return the style sheet of the page."""
    return "".join(map(_text, STYLES))


@cache
def script() -> str:
    """Return the modules as one script, in which each has its names for itself."""
    return "".join(map(_module, MODULES))


@cache
def policy() -> str:
    """Return the policy that allows this style sheet, this script and nothing else."""
    return (
        f"default-src 'none'; style-src '{_source(style())}'; script-src '{_source(script())}';"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _module(name: str) -> str:
    code = _COMMENT.sub("", _text(name))
    exported = ", ".join(_EXPORT.findall(code))
    code = _EXPORT.sub("", _IMPORT.sub(r"const \1 = $\2;\n", code))
    return (
        f"const ${name.removesuffix('.js')} = (() => {{\n{code}return {{ {exported} }};\n}})();\n"
    )


def _text(name: str) -> str:
    return resources.files("runreel").joinpath("web", "static", name).read_text("utf-8")


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
