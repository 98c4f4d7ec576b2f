"""Every Python example of the SDK's pages runs, in order, against an outbox."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from mailpipe.testing import Outbox

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    """The examples, each at the line where it stands in its page."""
    text = (DOCS / page).read_text()
    return ["\n" * text[: found.start(1)].count("\n") + found[1] for found in _BLOCK.finditer(text)]


async def run(page: str, outbox: Outbox) -> dict[str, Any]:
    """What the examples have defined in the end."""
    names: dict[str, Any] = {"outbox": outbox}
    for block in blocks(page):
        code = compile(block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        ended = eval(code, names)  # noqa: S307 - our own pages
        if inspect.isawaitable(ended):
            await ended
    return names


@pytest.mark.parametrize(("page", "least"), [("sdk.md", 8), ("django.md", 5), ("fastapi.md", 3)])
async def test_the_examples_of_a_page_run(page: str, least: int) -> None:
    with Outbox() as outbox:
        names = await run(page, outbox)
        assert outbox.mails
        assert len(blocks(page)) >= least
        tests = [one for name, one in names.items() if name.startswith("test_")]
        for test in tests:
            with Outbox() as fresh:
                test(fresh)
    assert bool(tests) == (page == "sdk.md")
