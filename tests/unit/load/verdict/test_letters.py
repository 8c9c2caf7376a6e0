"""The dead-letter queue holds each bad record once per application, with its bytes, and nothing else."""

from __future__ import annotations

import msgspec

from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.comparers.letters import Letter, compare
from clickstream.load.verdict.send_log import Rejected, digest

BAD = [(f"u{n}", b"bad %d" % n) for n in range(3)]
REJECTED = [Rejected(key, digest(data)) for key, data in BAD]
APPLICATIONS = ("analytics", "fraud")
LETTERS = [
    Letter(
        application=application, shard="s", position=str(n), arrived_ms=6_000, partition_key=key, data=data, reason="not JSON"
    )
    for application in APPLICATIONS
    for n, (key, data) in enumerate(BAD)
]  # fmt: skip


def _compare(letters: list[Letter]) -> Compared:
    return compare(REJECTED, letters, APPLICATIONS, started_ms=5_000)


def test_one_each_is_exact_and_one_that_was_sent_again_after_a_crash_is_the_same_one() -> None:
    compared = _compare([*LETTERS, LETTERS[0]])

    assert compared.is_exact
    assert compared.compared == 6
    assert compared.figures == {"letters": 6, "repeated": 1}


def test_a_bad_record_without_a_letter_is_lost() -> None:
    compared = _compare(LETTERS[1:])

    assert compared.lost == 1
    assert compared.problems == ["analytics: 1 bad records have no dead letter: of u0"]


def test_other_bytes_are_both_missing_and_strange() -> None:
    compared = _compare([msgspec.structs.replace(LETTERS[0], data=b"cut"), *LETTERS[1:]])

    assert (compared.lost, compared.duplicated) == (1, 1)
    assert "u0 (not JSON)" in compared.problems[1]


def test_a_letter_of_a_good_event_is_one_too_many() -> None:
    good = msgspec.structs.replace(LETTERS[0], position="99", data=b'{"type":"login"}')

    assert _compare([*LETTERS, good]).duplicated == 1


def test_letters_of_earlier_runs_and_of_other_applications_are_left_out() -> None:
    earlier = msgspec.structs.replace(LETTERS[0], position="98", arrived_ms=4_000)
    other = msgspec.structs.replace(LETTERS[0], application="archive")

    assert _compare([*LETTERS, earlier, other]).is_exact
