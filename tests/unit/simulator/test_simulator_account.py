"""Who may send, by the account's state: each refusal once, in SES's codes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.ses.account import Account, ConfigurationSet, Identity, Switches, canonical
from infra.local.ses.refusals import Refusal
from infra.local.ses.sending import Message


def account(**switches: Any) -> Account:
    """An account that may send from example.com with the set `cs`."""
    made = Account("us-east-1", Switches(**switches))
    made.identities = {"example.com": Identity("example.com")}
    made.sets = {"cs": ConfigurationSet("cs", {})}
    return made


def message(
    *recipients: str, sender: str = "a@example.com", configuration_set: str | None = "cs"
) -> Message:
    """A message to these."""
    return Message(
        source=sender,
        sender=sender,
        recipients=[*recipients] or ["b@example.net"],
        headers=[],
        own_headers=[],
        common={},
        tags={},
        configuration_set=configuration_set,
    )


def test_a_good_account_sends_from_its_domain_and_what_is_below_it() -> None:
    one = account()
    assert one.judge(message()).name == "example.com"
    assert one.judge(message(sender="a@mail.example.com")).name == "example.com"
    one.identities["mail.example.com"] = Identity("mail.example.com")
    one.identities["x@mail.example.com"] = Identity("x@mail.example.com")
    assert one.judge(message(sender="a@mail.example.com")).name == "mail.example.com"
    assert one.judge(message(sender="x@mail.example.com")).name == "x@mail.example.com"


@pytest.mark.parametrize(
    ("switches", "what", "status", "code", "text"),
    [
        ({"suspended": True}, {}, 400, "AccountSuspendedException", "for good"),
        ({"sending_enabled": False}, {}, 400, "SendingPausedException", "disabled for this"),
        (
            *({"missing_configuration_sets": ["cs"]}, {}, 404, "NotFoundException"),
            "Configuration set <cs> does not exist.",
        ),
        ({}, {"configuration_set": "no"}, 404, "NotFoundException", "<no> does not exist"),
        ({"revoked_identities": ["example.com"]}, {}, 400, "MessageRejected", "not verified"),
        ({}, {"sender": "a@example.org"}, 400, "MessageRejected", "US-EAST-1: a@example.org"),
        ({"production_access": False}, {}, 400, "MessageRejected", "US-EAST-1: b@example.net"),
        (
            *({"mail_from_not_verified": ["example.com"]}, {}, 400),
            *("MailFromDomainNotVerifiedException", "MAIL FROM"),
        ),
        (
            *({"access_denied": ["SendEmail"]}, {}, 403, "AccessDeniedException"),
            "not authorized to perform: ses:SendEmail",
        ),
    ],
)
def test_each_state_of_the_account_has_its_refusal(
    switches: dict[str, Any], what: dict[str, Any], status: int, code: str, text: str
) -> None:
    with pytest.raises(Refusal) as refused:
        account(**switches).judge(message(**what))
    assert (refused.value.status, refused.value.code) == (status, code)
    assert text in refused.value.text


def test_domains_are_compared_without_case() -> None:
    one = account()
    assert one.judge(message(sender="a@Mail.EXAMPLE.com")).name == "example.com"
    assert canonical("Me@Example.COM") == "Me@example.com"
    one.switches.revoked_identities = ["Example.com"]
    with pytest.raises(Refusal, match="not verified"):
        one.judge(message())


def test_a_paused_configuration_set_refuses_only_its_own_mail() -> None:
    one = account()
    one.sets["cs"].sending_enabled = False
    with pytest.raises(Refusal, match="configuration set <cs>"):
        one.judge(message())
    assert one.judge(message(configuration_set=None))


def test_in_the_sandbox_the_mailbox_simulator_and_verified_addresses_get_mail() -> None:
    one = account(production_access=False)
    assert one.judge(message("bounce+1@simulator.amazonses.com", "me@example.com"))


def test_switches_are_turned_together_or_not_at_all() -> None:
    one = account()
    one.change({"maxSendRate": 5, "max24HourSend": -1, "enforced": False})
    assert (one.switches.max_send_rate, one.switches.max_24_hour_send) == (5, -1)
    for wrong in ({"maxSendRate": -1}, {"max24HourSend": 9, "enforced": "no"}, {"maxSendrate": 9}):
        with pytest.raises(msgspec.ValidationError):
            one.change(wrong)
    assert (one.switches.max_send_rate, one.switches.enforced) == (5, False)


def test_the_other_operations_have_a_rate_and_permissions_of_their_own() -> None:
    one = account(api_rate=1, access_denied=["ListEmailIdentities"])
    one.called("GetAccount", 0.0)
    one.called("GetEmailIdentity", 0.5)
    with pytest.raises(Refusal) as refused:
        one.called("GetAccount", 0.9)
    assert refused.value.code == "TooManyRequestsException"
    one.called("GetAccount", 1.0)
    with pytest.raises(Refusal, match="ses:ListEmailIdentities"):
        one.called("ListEmailIdentities", 5.0)


def test_topics_follow_the_destinations() -> None:
    known = ConfigurationSet("cs", {})
    known.destinations["one"] = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "BOUNCE"],
        "SnsDestination": {"TopicArn": "arn:1"},
    }
    known.destinations["off"] = {**known.destinations["one"], "Enabled": False}
    known.destinations["other"] = {"Enabled": True, "MatchingEventTypes": ["SEND"]}
    known.changed()
    assert known.topics == {"SEND": ["arn:1"], "BOUNCE": ["arn:1"]}


# --- quotas ---------------------------------------------------------------------------------------


def admit(one: Account, now: float, *recipients: str) -> str | None:
    """Judge by the quota, and count what it takes."""
    return one.admit(now, message(*recipients))


TICKS = 1024
"""A second: its parts are exact as floats, and so is the edge of the window."""


@given(st.integers(1, 20), st.lists(st.integers(0, 400), max_size=120))
def test_never_more_than_the_rate_in_a_second_and_no_refusal_with_room(
    rate: int, pauses: list[int]
) -> None:
    one = account(max_send_rate=rate)
    now, accepted = 0, list[int]()
    for pause in pauses:
        now += pause
        in_window = sum(at > now - TICKS for at in accepted)
        verdict = admit(one, now / TICKS)
        assert (verdict is None) == (in_window < rate)
        if verdict is None:
            accepted.append(now)


def test_a_call_with_many_recipients_goes_whole_and_leaves_a_debt() -> None:
    one = account(max_send_rate=5)
    assert admit(one, 0.0, *(f"a{i}@example.net" for i in range(20))) is None
    assert admit(one, 0.999) == "throttled"
    assert admit(one, 1.0) is None


def test_the_day_rolls_and_counts_real_recipients_only() -> None:
    one = account(max_send_rate=100, max_24_hour_send=2)
    simulated = "success@simulator.amazonses.com"
    assert admit(one, 0.0, simulated) is None
    assert admit(one, 2.0, "a@example.net", "b@example.net") is None
    assert admit(one, 4.0, "c@example.net") == "daily_quota"
    assert admit(one, 6.0, simulated) is None
    assert one.quota.sent_last_24_hours(6.0) == 2
    assert admit(one, 86_402.0, "c@example.net") is None


def test_a_refused_call_counts_for_nothing() -> None:
    one = account(max_send_rate=1)
    assert admit(one, 0.0) is None
    for tenth in range(1, 10):
        assert admit(one, tenth / 10) == "throttled"
    assert admit(one, 1.0) is None


def test_without_enforcement_what_is_over_is_told_and_counted() -> None:
    one = account(max_send_rate=1, enforced=False)
    assert [admit(one, 0.0), admit(one, 0.1), admit(one, 1.0)] == [None, "throttled", "throttled"]
