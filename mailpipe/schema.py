"""`python -m mailpipe.schema FOLDER`: the JSON Schema of each message that travels on a queue.

Made from the structs of `mailpipe/messages.py`; docs/schema/ holds them, and a test holds those.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from mailpipe.messages import EmailMessage, OwnEvent, WebhookMessage

MESSAGES = (EmailMessage, OwnEvent, WebhookMessage)
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """The schema of each message by its `type`, as indented JSON."""
    found = dict[str, str]()
    for message in MESSAGES:
        name = str(message.__struct_config__.tag)
        (root,), components = msgspec.json.schema_components(
            [message], ref_template="#/$defs/{name}", schema_hook=_any
        )
        schema: dict[str, Any] = {"$schema": DIALECT, "title": name, **root, "$defs": components}
        encoded = msgspec.json.encode(schema, order="sorted")
        found[name] = msgspec.json.format(encoded, indent=2).decode() + "\n"
    return found


def _any(_: type) -> dict[str, Any]:
    return {"description": "any JSON value"}  # `object`


def write(folder: Path) -> None:
    """One file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / f"{name}.json").write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
