"""How much of a deep queue the local cloud's functions get to see."""

from types import SimpleNamespace
from typing import Any

from infra.local.deep_queues import quicken_deleting, quicken_receiving

IN_HAND, WAITING = 20, 5_000


def queue() -> dict[str, Any]:
    """Some are in hand, all others wait."""
    messages = [{"id": n, "visible_at": 0.0, "receipt_handle": None} for n in range(WAITING)]
    for one in messages[:IN_HAND]:
        one |= {"visible_at": float("inf"), "receipt_handle": f"h{one['id']}"}
    return {"is_fifo": False, "messages": messages}


def test_a_receive_sees_what_is_in_hand_and_what_it_takes() -> None:
    made, seen = queue(), list[int]()

    def looks(messages: dict[str, Any], *_: int) -> list[dict[str, Any]]:
        seen.append(len(messages["messages"]))
        return []

    sqs: Any = SimpleNamespace(_expire_retained=looks, _dlq_sweep=looks, _collect_msgs=looks)
    quicken_receiving(sqs)
    sqs._expire_retained(made)
    sqs._dlq_sweep(made)
    sqs._collect_msgs(made, 10, 30)
    assert seen == [1, IN_HAND + 10, IN_HAND + 10]
    assert made == queue()


def test_a_delete_sees_what_is_before_the_last_that_it_names() -> None:
    made, seen = queue(), list[int]()

    def delete(data: dict[str, Any], url: str) -> dict[str, Any]:
        seen.append(len(made["messages"]))
        made["messages"] = made["messages"][1:]
        return data

    handlers = {"DeleteMessageBatch": delete}
    sqs: Any = SimpleNamespace(
        _act_delete_message_batch=delete, _HANDLERS=handlers, _get_q=lambda *_: made
    )
    quicken_deleting(sqs)
    handlers["DeleteMessageBatch"](
        {"Entries": [{"ReceiptHandle": "h7"}, {"ReceiptHandle": "h3"}]}, ""
    )
    assert seen == [8]
    assert made["messages"] == queue()["messages"][1:]
