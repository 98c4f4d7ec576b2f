"""Settings from the environment: one frozen struct per process, every fault named at once.

A field `lease_s` of the sender's struct is `MAILPIPE_SENDER_LEASE_S`; fields of `Common` are
`MAILPIPE_<NAME>`. The field's `Meta` gives its bounds and the sentence in `docs/configuration.md`.
"""

import difflib
import sys
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NoReturn,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import NODEFAULT, Meta, Struct

EXIT_CONFIGURATION = 2


class Common(Struct, frozen=True, kw_only=True):
    """What every process needs to know."""

    prefix: Annotated[
        str, Meta(pattern="^[a-z0-9-]{0,32}$", description="put before every resource's name")
    ] = "mailpipe-"
    local: Annotated[bool, Meta(description="1 on a laptop: accepts the local API key")] = False
    address_hash_key: Annotated[
        str,
        Meta(
            min_length=32,
            description="secret that keys the suppression list; the same everywhere, for ever",
        ),
    ]
    aws_client: Annotated[
        Literal["typed", "botocore"],
        Meta(description="how AWS is called; botocore costs ten times the CPU"),
    ] = "typed"
    bodies_bucket: Annotated[
        str,
        Meta(
            pattern="^([a-z0-9.-]{3,63})?$",
            description="S3 bucket of mail above 48 KB; empty: none is taken",
        ),
    ] = ""
    drain_s: Annotated[
        float, Meta(gt=0, le=600, description="how long SIGTERM waits for work in hand")
    ] = 25.0
    retention_days: Annotated[
        int,
        Meta(ge=1, le=3650, description="how long records are kept after their end, at least 30"),
    ] = 90
    admin_port: Annotated[
        int, Meta(ge=0, le=65_535, description="private port of /live /ready /metrics; 0 = free")
    ] = 0
    admin_host: Annotated[
        str, Meta(min_length=1, description="address that the private port listens on")
    ] = "127.0.0.1"
    failpoint: Annotated[
        str,
        Meta(description="only to prove things: name[@nth][=kill|exit|stop:ms], see behaviour.md"),
    ] = ""

    def crossed(self) -> list[str]:
        """What is wrong between fields that are right each by itself."""
        return []


C = TypeVar("C", bound=Common)


class SettingsError(Exception):
    """One or more variables are missing or wrong; `faults` has a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def variable(service: str, name: str) -> str:
    """The environment variable of a field."""
    own = name not in Common.__struct_fields__
    return f"MAILPIPE_{service.upper() + '_' if own else ''}{name.upper()}"


def load(kind: type[C], service: str, environment: Mapping[str, str]) -> C:
    """Read `kind` from the environment; raises SettingsError with every fault."""
    faults, values = list[str](), dict[str, Any]()
    hints = get_type_hints(kind, include_extras=True)
    known = {variable(service, name): name for name in kind.__struct_fields__}
    required = {f.name for f in msgspec.structs.fields(kind) if f.required}
    for name, field in known.items():
        text = environment.get(name)
        if text is None:
            if field in required:
                faults.append(f"{name} is missing: expected {_expected(hints[field])}")
            continue
        try:
            values[field] = msgspec.convert(text, hints[field], strict=False)
        except msgspec.ValidationError:
            shown = "(hidden)" if field == "address_hash_key" else repr(text)
            faults.append(f"{name}={shown}: expected {_expected(hints[field])}")
    faults += _misspelt(service, known, environment)
    if faults:
        raise SettingsError(faults)
    settings = kind(**values)
    if crossed := settings.crossed():
        raise SettingsError(crossed)
    return settings


def load_or_exit(kind: type[C], service: str, environment: Mapping[str, str]) -> C:
    """Like `load`, but says the faults on stderr and exits with 2."""
    try:
        return load(kind, service, environment)
    except SettingsError as error:
        refuse(service, error.faults)


def refuse(service: str, faults: list[str]) -> NoReturn:
    """Say what is wrong with the configuration, and exit with 2."""
    sys.stderr.write(f"{service}: cannot start, the configuration is wrong:\n")
    sys.stderr.writelines(f"  {fault}\n" for fault in faults)
    sys.stderr.write("Every variable is described in docs/configuration.md\n")
    raise SystemExit(EXIT_CONFIGURATION)


def _misspelt(service: str, known: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Variables with this service's prefix that nobody reads: almost always a typing error."""
    faults = []
    for name in environment:
        if name.startswith(f"MAILPIPE_{service.upper()}_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            faults.append(f"{name} is not known" + (f": did you mean {near[0]}?" if near else ""))
    return faults


def _expected(hint: object) -> str:
    kind, *metas = get_args(hint)
    if get_origin(kind) is Literal:
        words = " or ".join(get_args(kind))
    else:
        words = {str: "text", int: "a whole number", float: "a number", bool: "1 or 0"}[kind]
    for meta in metas:
        for label, bound in (
            ("of at least", meta.min_length),
            ("greater than", meta.gt),
            ("from", meta.ge),
            ("up to", meta.le),
        ):
            if bound is not None:
                words += f" {label} {bound}" + (" characters" if label == "of at least" else "")
        if meta.pattern:
            words += f" matching {meta.pattern}"
        if meta.description:
            words += f" ({meta.description})"
    return words


def table(kind: type[Common], service: str) -> str:
    """The settings of one process as a Markdown table, for `docs/configuration.md`."""
    hints = get_type_hints(kind, include_extras=True)
    rows = ["| variable | expected | default |", "|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        default = "required" if field.default is NODEFAULT else f"`{field.default}`"
        default = "empty" if field.default == "" else default
        name = variable(service, field.name)
        rows.append(
            f"| `{name}` | {_expected(hints[field.name]).replace('|', chr(92) + '|')} | {default} |"
        )
    return "\n".join(rows)
