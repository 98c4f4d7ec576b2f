"""`python -m infra.stacks OUTPUT`: synthesises the template, as JSON (needs Node)."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_cdk import App, BootstraplessSynthesizer

from infra.stacks.data import DataStack

NAME = "mailpipe-data"


def synthesise() -> str:
    """The template."""
    with TemporaryDirectory() as folder:
        app = App(outdir=folder, analytics_reporting=False)
        DataStack(
            app,
            NAME,
            synthesizer=BootstraplessSynthesizer(),
            description="mailpipe: queues, topics, tables, bucket, secret, configuration set",
        )
        app.synth()
        template = json.loads((Path(folder) / f"{NAME}.template.json").read_text())
    return text_of(template)


def text_of(template: dict[str, Any]) -> str:
    """A line for each resource: CreateStack takes at most 51,200 bytes (AWS CloudFormation User
    Guide, "Understand CloudFormation quotas"), which indented JSON would exceed.
    """
    sections = []
    for name, section in sorted(template.items()):
        if isinstance(section, dict):
            lines = (f"{_json(key)}:{_json(value)}" for key, value in sorted(section.items()))
            sections.append(f"{_json(name)}:{{\n" + ",\n".join(lines) + "\n}")
        else:
            sections.append(f"{_json(name)}:{_json(section)}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(synthesise())
