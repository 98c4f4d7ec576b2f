"""Arguments that more than one command takes, and what they accept."""

import re
from typing import Any

import click

from mailpipe import rules
from mailpipe.addresses import BadAddress, parse
from mailpipe.timing import now_ms, parse_iso

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(rf"\A([1-9][0-9]{{0,6}})([{''.join(_UNITS_S)}])\Z")
_PRINCIPAL = re.compile(r"\A[A-Z0-9]{12,128}\Z")


class Instant(click.ParamType[int]):
    """`30d`, `12h`, a time with its zone, or `never`: epoch milliseconds, 0 = never.

    `past`: a duration counts back from now.
    """

    name = "time"

    def __init__(self, *, past: bool = False) -> None:
        self._sign = -1 if past else 1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds."""
        if isinstance(value, int):
            return value
        if value == "never":
            return 0
        if found := _DURATION.match(value):
            return now_ms() + self._sign * int(found[1]) * _UNITS_S[found[2]] * 1000
        try:
            return parse_iso(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a duration (15m, 12h, 30d, 4w) nor a time with its zone "
                "(2027-01-31T12:00:00Z) nor 'never'.",
                param,
                ctx,
            )


class Domain(click.ParamType[str]):
    """A domain as it is compared: Punycode, lower case. Empty: none."""

    name = "domain"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The domain in Punycode."""
        try:
            return parse(f"a@{value}").domain if value else ""
        except BadAddress as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class Principal(click.ParamType[str]):
    """The unique id of an IAM user or role, with or without a session. Empty: none."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id without the session."""
        found: str = value.partition(":")[0]
        if value and not _PRINCIPAL.match(found):
            self.fail(
                f"{value!r} is no unique id (AIDA... of a user, AROA... of a role): see "
                "`aws iam get-role --query Role.RoleId`.",
                param,
                ctx,
            )
        return found


class TenantId(click.ParamType[str]):
    """The id of a tenant."""

    name = "tenant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id."""
        if violation := rules.check_ids(value, None):
            self.fail(violation.message, param, ctx)
        return str(value)


tenant_option = click.option(
    "--tenant", type=TenantId(), default="default", show_default=True, help="Whose it is."
)


def several(values: tuple[str, ...]) -> list[str]:
    """A list from a repeated option; empty values are how a list is emptied."""
    return list(dict.fromkeys(value for value in values if value))
