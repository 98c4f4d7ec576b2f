"""What becomes of a message: the mailbox simulator's addresses, and the seeded profile."""

import msgspec
import pytest

from infra.local.ses.outcomes import Due, Plan, Profile

SIMULATOR = "simulator.amazonses.com"
MANY = [f"user{number}@example.net" for number in range(4000)]


def types(due: list[Due]) -> list[str]:
    """In order of time."""
    return [one.event_type for one in sorted(due, key=lambda one: one.after_s)]


@pytest.mark.parametrize(
    ("local", "wanted"),
    [
        ("success", ["Send", "Delivery"]),
        ("bounce+label", ["Send", "Bounce"]),
        ("complaint", ["Send", "Delivery", "Complaint"]),
        ("ooto+x", ["Send", "Delivery", "Bounce"]),
        ("suppressionlist", ["Send", "Bounce"]),
        ("Bounce+Label", ["Send", "Bounce"]),
    ],
)
def test_each_simulator_address_has_its_outcome_in_order(local: str, wanted: list[str]) -> None:
    assert types(Plan(Profile(), 7).events([f"{local}@{SIMULATOR}"])) == wanted


def test_several_bounces_of_one_mail_come_as_one_event_and_deliveries_singly() -> None:
    addresses = [f"{one}@{SIMULATOR}" for one in ("bounce+1", "bounce+2")]
    due = Plan(Profile(), 1).events([*addresses, "a@example.net", "b@example.net"])
    assert [one.recipients for one in due if one.event_type == "Bounce"] == [addresses]
    delivered = [one.recipients for one in due if one.event_type == "Delivery"]
    assert delivered == [["a@example.net"], ["b@example.net"]]


def test_a_suppressed_address_bounces_without_being_tried() -> None:
    due = Plan(Profile(), 1).events(["a@example.net"], is_suppressed=lambda _: True)
    assert types(due) == ["Send", "Bounce"]
    assert due[1].facts["bounceSubType"] == "OnAccountSuppressionList"


def test_an_infected_message_is_rejected_and_never_sent() -> None:
    due = Plan(Profile(), 1).events(["a@example.net"], infected=True)
    assert [(one.event_type, one.facts) for one in due] == [("Reject", {"reason": "Bad content"})]


def test_delays_scale_and_are_reproducible() -> None:
    once = Plan(Profile(), 3).events(["a@example.net"])
    assert Plan(Profile(), 3).events(["a@example.net"]) == once
    slow = Plan(Profile(scale=10), 3).events(["a@example.net"])
    assert [one.after_s for one in slow] == pytest.approx([one.after_s * 10 for one in once])


def share(profile: Profile, event_type: str, **facts: str) -> float:
    """Of many addresses: how many have such an event."""
    plan = Plan(profile, 5)
    found = sum(
        any(one.event_type == event_type and facts.items() <= one.facts.items() for one in due)
        for due in (plan.events([address]) for address in MANY)
    )
    return found / len(MANY)


@pytest.mark.parametrize(
    ("name", "event_type", "facts"),
    [
        ("bounce", "Bounce", {"bounceType": "Permanent", "bounceSubType": "General"}),
        ("soft", "Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
        ("undetermined", "Bounce", {"bounceType": "Undetermined"}),
        ("outOfOffice", "Bounce", {"bounceType": "Transient", "bounceSubType": "General"}),
        ("complaint", "Complaint", {"complaintFeedbackType": "abuse"}),
        ("notSpam", "Complaint", {"complaintFeedbackType": "not-spam"}),
        ("delay", "DeliveryDelay", {}),
        ("reject", "Reject", {}),
        ("open", "Open", {"isBotEvent": "Unlikely"}),
        ("click", "Click", {"isBotEvent": "Unlikely"}),
        ("bot", "Open", {"isBotEvent": "Likely"}),
        ("unsubscribe", "Subscription", {}),
    ],
)
def test_the_profile_says_which_share_does_what(
    name: str, event_type: str, facts: dict[str, str]
) -> None:

    profile = msgspec.convert({name: 0.25}, Profile)
    assert share(profile, event_type, **facts) == pytest.approx(0.25, abs=0.03)
    assert share(Profile(), event_type, **facts) == 0


def test_an_address_has_the_same_fate_at_every_mail_and_with_every_other_seed_another() -> None:
    def bouncing(seed: int, addresses: list[str]) -> set[str]:
        plan = Plan(Profile(bounce=0.5), seed)
        return {one for one in addresses if "Bounce" in types(plan.events([one]))}

    some = MANY[:200]
    assert bouncing(1, some) == bouncing(1, some[::-1])
    assert bouncing(1, some) != bouncing(2, some)


def test_a_delayed_mail_arrives_after_its_delay_was_told() -> None:
    assert types(Plan(Profile(delay=1), 1).events(["a@example.net"])) == [
        "Send",
        "DeliveryDelay",
        "Delivery",
    ]
