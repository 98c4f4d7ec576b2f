"""`GET /openapi.json` and `GET /docs`: the API describes itself. Both are made at the start."""

import json
import re
from pathlib import Path

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ingest.openapi import document
from mailpipe.constraints import CONSTRAINTS

_CODE = re.compile(r"`([^`]+)`")
TEMPLATES = Path(__file__).parent / "templates"


class Docs:
    """Holds both pages."""

    def __init__(self) -> None:
        made = document([*CONSTRAINTS])
        self._openapi = msgspec.json.encode(made)
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"marked": _marked, "pretty": _pretty}
        self._page = environment.get_template("docs.html").render(api=made)

    async def openapi(self, _: web.Request) -> web.Response:
        """The description, for machines."""
        return web.Response(body=self._openapi, content_type="application/json")

    async def page(self, _: web.Request) -> web.Response:
        """The description, for people; loads nothing from elsewhere."""
        return web.Response(text=self._page, content_type="text/html")


def _marked(text: str) -> Markup:
    """Text whose `parts` in backquotes are code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
