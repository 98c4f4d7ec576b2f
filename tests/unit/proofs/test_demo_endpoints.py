"""What the demo's endpoints want: what no endpoint wants its checker could not miss."""

from infra.local.demo import ENDPOINTS
from mailpipe.endpoints import TYPES


def test_every_type_is_wanted_and_no_other() -> None:
    wanted = {kind for types in ENDPOINTS.values() for kind in types}
    assert wanted == set(TYPES)


def test_one_event_goes_to_several() -> None:
    first, second = ENDPOINTS.values()
    assert {*first} & {*second} == {"email.bounced"}
