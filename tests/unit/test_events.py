"""Events of every form become one; their rank, their hash and their webhook follow from it."""

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.messages import RecordFields, encode, own_event
from mailpipe.status import PENDING
from mailpipe.timing import parse_iso
from processor.events import Event, Ignored, body_of, read
from processor.webhooks import webhook_id

MAIL = {
    "timestamp": "2026-11-20T10:15:30.412Z",
    "messageId": "0100-ses",
    "destination": ["ana@example.net"],
    "tags": {"email_id": ["e1"], "attempt": ["2"], "tenant": ["default"]},
}
AT = "2026-11-20T10:15:33.120Z"
ANA = {"emailAddress": "ana@example.net", "status": "5.1.1", "diagnosticCode": "smtp; 550\r\nno"}


def bounce(kind: str) -> dict[str, object]:
    """A bounce of this type."""
    return {
        "bounceType": kind,
        "bounceSubType": "General",
        "bouncedRecipients": [ANA],
        "timestamp": AT,
    }


def complaint(kind: str) -> dict[str, object]:
    """A complaint of this feedback type."""
    return {"complainedRecipients": [ANA], "timestamp": AT, "complaintFeedbackType": kind}


DELIVERY = {"timestamp": AT, "recipients": ["ana@example.net"], "smtpResponse": "250 ok"}
FORMS = {
    "send": {"eventType": "Send", "send": {}},
    "delivery": {"eventType": "Delivery", "delivery": DELIVERY},
    "hard": {"eventType": "Bounce", "bounce": bounce("Permanent")},
    "soft": {"eventType": "Bounce", "bounce": bounce("Transient")},
    "undetermined": {"eventType": "Bounce", "bounce": bounce("Undetermined")},
    "complaint": {"eventType": "Complaint", "complaint": complaint("abuse")},
    "not-spam": {"eventType": "Complaint", "complaint": complaint("not-spam")},
    "reject": {"eventType": "Reject", "reject": {"reason": "Bad content"}},
    "rendering": {"eventType": "Rendering Failure", "failure": {"errorMessage": "no x"}},
    "delay": {
        "eventType": "DeliveryDelay",
        "deliveryDelay": {"timestamp": AT, "delayType": "MailboxFull", "delayedRecipients": [ANA]},
    },
}


def event(form: str) -> Event:
    """That form, read."""
    found = read(json.dumps({**FORMS[form], "mail": MAIL}))
    assert isinstance(found, Event)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_an_event_has_happened_at_its_own_time_not_at_its_mails(form: str) -> None:
    """Sends in doubt are decided by it."""
    found = event(form)
    of_mail = form in ("send", "reject", "rendering")
    assert found.occurred_at == (MAIL["timestamp"] if of_mail else AT)
    assert found.happened_ms == parse_iso(found.occurred_at)
    assert found.sent_at_ms == parse_iso("2026-11-20T10:15:30.412Z")


@pytest.mark.parametrize(
    ("form", "kind", "standing", "webhook", "suppress"),
    [
        ("send", "sent", ("sent", 20), "email.sent", None),
        ("delivery", "delivery", ("delivered", 40), "email.delivered", None),
        ("hard", "bounce", ("bounced", 50), "email.bounced", "bounce"),
        ("soft", "bounce", ("bounced", 30), "email.bounced", None),
        ("undetermined", "bounce", ("bounced", 30), "email.bounced", None),
        ("complaint", "complaint", ("complained", 60), "email.complained", "complaint"),
        ("not-spam", "complaint", None, None, None),
        ("reject", "reject", ("rejected", 50), "email.rejected", None),
        ("rendering", "reject", ("rejected", 50), "email.rejected", None),
        ("delay", "delay", ("delayed", 25), "email.delayed", None),
    ],
)
def test_each_type_has_its_rank_its_webhook_and_its_consequence(
    form: str,
    kind: str,
    standing: tuple[str, int] | None,
    webhook: str | None,
    suppress: str | None,
) -> None:
    found = event(form)
    assert found.kind == kind
    assert (found.standing and (found.standing.status, found.standing.rank)) == standing
    assert (found.webhook_type, found.suppress) == (webhook, suppress)
    assert (found.email_id, found.attempt, found.message_id) == ("e1", 2, "0100-ses")


@pytest.mark.parametrize("form", ["send", "reject", "rendering"])
def test_what_names_nobody_is_about_all_whom_the_attempt_went_to(form: str) -> None:
    two = {**MAIL, "destination": ["ben@example.net", "cy@example.net"]}
    found = read(json.dumps({**FORMS[form], "mail": two}))
    assert isinstance(found, Event)
    assert (found.recipients, found.suppress) == (two["destination"], None)
    assert found.hash == event(form).hash  # which names the webhook


def test_a_bounce_that_names_nobody_suppresses_nobody() -> None:
    lonely = {**bounce("Permanent"), "bouncedRecipients": []}
    found = read(json.dumps({**FORMS["hard"], "bounce": lonely, "mail": MAIL}))
    assert isinstance(found, Event)
    assert (found.suppress, found.recipients) == ("bounce", [])


def test_the_same_event_is_read_raw_enveloped_and_as_identity_feedback() -> None:
    raw = {**FORMS["hard"], "mail": MAIL}
    legacy = {**raw, "notificationType": "Bounce"}
    del legacy["eventType"]
    wrapped = {"Type": "Notification", "Message": json.dumps(raw), "MessageId": "m"}
    hashes = {read(json.dumps(form)).hash for form in (raw, legacy, wrapped)}  # type: ignore[union-attr]
    assert len(hashes) == 1


EXAMPLES = sorted((Path(__file__).parents[1] / "data" / "ses_events").glob("*.json"))
ENGAGEMENT = {"Open", "Click", "Subscription"}  # read when engagement is built


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_awss_examples_are_read(example: Path) -> None:
    body = json.loads(example.read_text())
    found = read(json.dumps(body))
    if body["eventType"] in ENGAGEMENT:
        assert found == Ignored(body["eventType"])
    else:
        assert isinstance(found, Event)
        assert found.tenant == "default"


def test_without_tags_the_header_names_the_email() -> None:
    mail = {**MAIL, "tags": {}, "headers": [{"name": "x-email-id", "value": "e2"}]}
    found = read(json.dumps({**FORMS["send"], "mail": mail}))
    assert isinstance(found, Event)
    assert (found.email_id, found.attempt) == ("e2", None)


def test_with_our_tags_neither_others_nor_the_headers_are_looked_at() -> None:
    odd = {**MAIL, "tags": {**MAIL["tags"], "theirs": 7}, "headers": "none"}  # type: ignore[dict-item]
    assert read(json.dumps({**FORMS["send"], "mail": odd})) == event("send")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("Successfully validated SNS topic for Amazon SES event publishing.", "validated"),
        (
            '{"Type":"SubscriptionConfirmation","SubscribeURL":"https://x"}',
            "SubscriptionConfirmation",
        ),
        (json.dumps({"eventType": "Novel", "mail": MAIL}), "Novel"),
        (json.dumps({**FORMS["send"], "mail": {**MAIL, "tags": {}}}), "not_ours"),
    ],
)
def test_what_is_not_for_us_is_ignored_with_a_reason(body: str, reason: str) -> None:
    assert read(body) == Ignored(reason)


@pytest.mark.parametrize(
    "body",
    [
        *("", "nope", "[]", "{}", '{"eventType":"Send"}', '{"type":"event.v2"}'),
        json.dumps({"eventType": "Send", "mail": {**MAIL, "timestamp": "yesterday"}}),
        json.dumps({"eventType": "Send", "mail": {**MAIL, "tags": {}, "headers": "none"}}),
        json.dumps({"Type": "Notification", "Message": "nope"}),
    ],
)
def test_what_cannot_be_read_is_refused(body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's errors and ours
        read(body)


def test_receivers_texts_are_cut_and_cleaned() -> None:
    raw = {**FORMS["hard"], "mail": MAIL}
    raw["bounce"] = {
        **bounce("Permanent"),
        "bouncedRecipients": [{**ANA, "diagnosticCode": "a\r\n" + "x" * 9000}],
    }
    found = read(json.dumps(raw))
    assert isinstance(found, Event)
    code = found.details["diagnosticCode"]
    assert code.startswith("a  x")
    assert len(code) == 500


@given(st.lists(st.sampled_from(sorted(FORMS)), max_size=6))
def test_the_final_state_is_a_function_of_the_set_of_events(forms: list[str]) -> None:
    def final(order: tuple[str, ...]) -> tuple[str, int]:
        status, rank = PENDING.status, PENDING.rank
        for form in order:
            standing = event(form).standing
            if standing is not None and standing.rank > rank:
                status, rank = standing.status, standing.rank
        return status, rank

    # bounced and rejected share a rank: SES never says both of one mail.
    if "hard" in forms:
        forms = [form for form in forms if form not in ("reject", "rendering")]
    ends = {final(order) for order in itertools.islice(itertools.permutations(forms), 200)}
    assert len(ends) == 1
    assert final(tuple(forms) * 2) in ends


def test_webhook_ids_are_constant_over_repeats_and_differ_between_events_and_endpoints() -> None:
    ids = {webhook_id(event(form), end) for form in ("send", "hard", "hard") for end in "ab"}
    assert len(ids) == 4
    assert all(one.startswith("msg_") and "." not in one for one in ids)


def test_the_webhook_body_has_the_customers_shape() -> None:
    metadata = msgspec.Raw(b'{"a":1}')
    body = body_of(event("delivery"), recipients=["ana@example.net"], metadata=metadata)
    assert json.loads(body) == {
        "type": "email.delivered",
        "emailId": "e1",
        "event": "delivery",
        "timestamp": AT,
        "recipient": "ana@example.net",
        "recipients": ["ana@example.net"],
        "details": {"smtpResponse": "250 ok"},
        "metadata": {"a": 1},
    }


def test_the_webhook_says_where_the_mail_may_have_gone_twice() -> None:
    found = event("delivery")
    once, twice = (
        json.loads(body_of(found, recipients=[], metadata=msgspec.Raw(b"{}"), possible_duplicate=d))
        for d in (False, True)
    )
    assert once["recipient"] is None
    assert twice == {**once, "possibleDuplicate": True}


def test_our_own_event_is_read() -> None:
    fields = RecordFields(stream="bulk", created_at=1, from_="a@example.com", to=["b@example.com"])
    ours = own_event(
        *("e1", "default"), status="suppressed", attempt=1, at=AT, reason="why", record=fields
    )
    found = read(encode(ours))
    assert isinstance(found, Event)
    assert found.own == ours
    assert (found.webhook_type, found.details) == ("email.suppressed", {"reason": "why"})
