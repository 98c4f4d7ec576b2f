"""How a person writes a scope."""

import click
import pytest

from mailpipe.commands.parameters import Capped, Person, Scope, scope_text


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        ("account", "account"),
        ("set:enterprise-email", "set#enterprise-email"),
        ("identity:News@Shop.example", "identity#news@shop.example"),
        ("identity:a#b@shop.example", "identity#a#b@shop.example"),
        ("identity:shop.example", "identity#shop.example"),
        ("domain:BÜCHER.example", "domain#xn--bcher-kva.example"),
        ("tenant:acme:bulk", "tenant#acme#bulk"),
    ],
)
def test_every_kind_is_read_and_shown(given: str, scope: str) -> None:
    assert Scope().scope(given) == scope
    assert Scope().scope(scope_text(scope)) == scope


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            "acount",
            "account:x",
            "set:",
            "set:enterprise-emial",
            "identity:",
            "identity:a@",
            "domain:-",
        ),
        *("tenant:acme", "tenant:acme:x", "tenant::bulk", "a:b"),
    ],
)
def test_anything_else_is_none(wrong: str) -> None:
    assert Scope().scope(wrong) is None


def test_only_tenants_and_domains_have_caps() -> None:
    assert Capped().scope("tenant:acme") == "tenant#acme"
    assert Capped().scope("domain:Shop.example") == "domain#shop.example"
    others = ("account", "tenant:", "identity:a.example")
    assert [Capped().scope(one) for one in others] == [None] * 3


@pytest.mark.parametrize("name", ["senders", " senders ", ""])
def test_nobody_pauses_in_the_senders_name(name: str) -> None:
    with pytest.raises(click.BadParameter):
        Person().convert(name, None, None)
    assert Person().convert("ana", None, None) == "ana"
