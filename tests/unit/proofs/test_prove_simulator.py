"""The proof of the simulator fails when an answer differs or a documented error was not seen."""

import pytest

from loadtest.corpus import DOCUMENTED, ROWS
from loadtest.prove_simulator import chosen, judge

RIGHT = [
    {"client": "boto3", "expected": f"400 {code}", "got": f"400 {code}: its text"}
    for code in sorted(DOCUMENTED)
]


def test_right_answers_to_all_documented_errors_pass() -> None:
    assert judge(RIGHT) == ([], [])


@pytest.mark.parametrize(
    "got", ["200 MessageId", "400 BadRequestExceptions", "403 AccessDeniedException", "", "garbage"]
)
def test_another_answer_is_told(got: str) -> None:
    one = {"client": "boto3", "expected": "400 MessageRejected", "got": got}
    assert judge([*RIGHT, one]) == ([one], [])


def test_an_error_that_only_the_cli_saw_or_nobody_is_told() -> None:
    first = {**RIGHT[0], "client": "aws-cli"}
    assert judge([first, *RIGHT[1:]]) == ([], [sorted(DOCUMENTED)[0]])


def test_every_documented_error_is_asked_for_and_the_cli_asks_at_most_twelve() -> None:
    wanted = {row.expected.partition(" ")[2].partition(":")[0] for row in ROWS}
    missing = {
        code for code in DOCUMENTED if not any(code.startswith(one) and one for one in wanted)
    }
    assert not missing
    assert 10 <= sum(client == "aws-cli" for _, client in chosen(99)) <= 12
