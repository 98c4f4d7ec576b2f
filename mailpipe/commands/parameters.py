"""Arguments that more than one command takes, and what they accept."""

import re
from typing import Any

import click

from mailpipe import rules
from mailpipe.addresses import BadAddress, domain_of, parse
from mailpipe.board import BY_SENDERS
from mailpipe.resources import CONFIGURATION_SET, LANES
from mailpipe.timing import now_ms, parse_iso

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(rf"\A([1-9][0-9]{{0,6}})([{''.join(_UNITS_S)}])\Z")
_PRINCIPAL = re.compile(r"\A[A-Z0-9]{12,128}\Z")


class Instant(click.ParamType[int]):
    """`30d`, `12h`, a time with its zone, or, unless it `comes`, `never`: epoch milliseconds, 0 =
    never. `past`: a duration counts back from now.
    """

    name = "time"

    def __init__(self, *, past: bool = False, comes: bool = False) -> None:
        self._sign = -1 if past else 1
        self._comes = comes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds."""
        if isinstance(value, int):
            return value
        if value == "never" and not self._comes:
            return 0
        if found := _DURATION.match(value):
            return now_ms() + self._sign * int(found[1]) * _UNITS_S[found[2]] * 1000
        try:
            return parse_iso(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a duration (15m, 12h, 30d, 4w) nor a time with its zone "
                f"(2027-01-31T12:00:00Z){'' if self._comes else ' nor ' + repr('never')}.",
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


class Scope(click.ParamType[str]):
    """Mail that waits together, as a person writes it: with colons."""

    name = "scope"
    forms = (
        f"account, set:{CONFIGURATION_SET}, identity:ADDRESS-OR-DOMAIN, domain:DOMAIN or "
        "tenant:TENANT:STREAM"
    )

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The scope as the board holds it."""
        found = self.scope(value)
        if found is None:
            self.fail(f"{value!r} is none of {self.forms}.", param, ctx)
        return found

    def scope(self, text: str) -> str | None:
        """None: it is none."""
        kind, _, name = text.partition(":")
        match kind:
            case "account" if not name:
                return kind
            case "set" if name == CONFIGURATION_SET:  # all mail goes with this one
                return f"set#{name}"
            case "identity":
                found = _spec(name) if "@" in name else domain_of(name)
                return f"identity#{found.casefold()}" if found else None
            case "domain":
                return f"domain#{found}" if (found := domain_of(name)) else None
            case "tenant":
                tenant, _, stream = name.rpartition(":")
                good = rules.check_ids(tenant, None) is None and stream in LANES
                return f"tenant#{tenant}#{stream}" if good else None
        return None


class Capped(Scope):
    """What may have a cap."""

    forms = "tenant:TENANT or domain:DOMAIN"

    def scope(self, text: str) -> str | None:
        """None: it is none."""
        kind, _, name = text.partition(":")
        if kind == "tenant" and rules.check_ids(name, None) is None:
            return f"tenant#{name}"
        return super().scope(text) if kind == "domain" else None


class Person(click.ParamType[str]):
    """Who changes something; not the name by which senders write what they find out themselves: a
    pause of theirs ends by itself.
    """

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        if not value.strip() or value.strip() == BY_SENDERS:
            self.fail(f"{value!r} is no person's name.", param, ctx)
        return str(value)


def scope_text(scope: str) -> str:
    """A scope as a person writes it."""
    return scope.replace("#", ":", 2 if scope.startswith("tenant#") else 1)


def _spec(text: str) -> str | None:
    try:
        return parse(text).spec
    except BadAddress:
        return None


tenant_option = click.option(
    "--tenant", type=TenantId(), default="default", show_default=True, help="Whose it is."
)


def several(values: tuple[str, ...]) -> list[str]:
    """A list from a repeated option; empty values are how a list is emptied."""
    return list(dict.fromkeys(value for value in values if value))
