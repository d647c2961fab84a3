"""The shell of every page: styles, scripts and data inside it, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ci_gate.report.escape import clean
from ci_gate.report.html.chart import Chart

_STYLES: Final = ("uPlot.min.css", "report.css")
_SCRIPTS: Final = ("uPlot.iife.min.js", "report.js")
_MAX_LENGTH: Final = 2000
_NOT_IN_SCRIPT: Final = {each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def render_page(template: str, *, charts: Sequence[Chart], **values: object) -> str:
    """HTML of a whole page from ``templates/<template>``, which extends page.html, with its variables.

    Every value is escaped, and characters that nobody sees are replaced, unless it is Markup.
    """
    styles, scripts = (tuple(map(_read, names)) for names in (_STYLES, _SCRIPTS))
    page = _environment().get_template(template)
    return page.render(
        charts=charts,
        charts_json=_encode_charts(charts),
        styles=tuple(map(Markup, styles)),
        scripts=tuple(map(Markup, scripts)),
        licence=Markup(_read("uPlot.LICENSE")),  # noqa: S704 - our own file
        policy=_make_policy(styles, scripts),
        **values,
    )


def _encode_charts(charts: Sequence[Chart]) -> Markup:
    """JSON that cannot end the element it stands in."""
    shown = {chart.key: _show_all(msgspec.to_builtins(chart)) for chart in charts}
    text = msgspec.json.encode(shown).decode()
    for character, escaped in _NOT_IN_SCRIPT.items():
        text = text.replace(character, escaped)
    return Markup(text)  # noqa: S704 - without any character that HTML knows


def _make_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Content-Security-Policy: what is in the page by its hash, nothing from anywhere else."""
    allowed = [
        "default-src 'none'",
        f"style-src {' '.join(map(_hash, styles))}",
        f"script-src {' '.join(map(_hash, scripts))}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(allowed)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _read(name: str) -> str:
    return files("ci_gate.report.html").joinpath("static", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ci_gate.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _show(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str) or not value:
        return value
    return clean(value, _MAX_LENGTH)


def _show_all(value: object) -> object:
    """The same with every text in it as `_show` has it."""
    if isinstance(value, dict):
        return {name: _show_all(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_show_all(each) for each in value]
    return _show(value)
