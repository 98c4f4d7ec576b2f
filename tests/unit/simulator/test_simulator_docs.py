"""The examples of docs/local-cloud.md are taken by the code, and its lists are complete."""

import re
from pathlib import Path

import msgspec

from infra.local.chaos.faults import Fault, Faults
from infra.local.ses import publisher, server
from infra.local.ses.account import Switches
from infra.local.ses.outcomes import Profile
from infra.local.stores import server as stores

PAGE = (Path(__file__).parents[3] / "docs" / "local-cloud.md").read_text()
SES = (*server.FAULTS, *publisher.FAULTS)


def test_the_examples_are_taken() -> None:
    profile, faults = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert msgspec.json.decode(profile, type=Profile).bounce == 0.02
    assert Faults(SES, seed=1).add(faults.encode(), 0.0) == ["throttle-1", "drop_after_accept-2"]


def test_every_kind_field_and_switch_is_named() -> None:
    fields = msgspec.structs.fields(Fault)
    switches = msgspec.structs.fields(Switches)
    names = {*SES, *stores.FAULTS, *(one.encode_name for one in (*fields, *switches))}
    assert not {name for name in names if f"`{name}`" not in PAGE}
