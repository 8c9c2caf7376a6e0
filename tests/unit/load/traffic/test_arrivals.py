"""When records leave: at the rate, with a Poisson process's gaps, along a curve, a ramp or a trace; the same everywhere."""

from __future__ import annotations

import bz2
import itertools
import tarfile
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from clickstream.errors import UserMistake
from clickstream.load.driving import traces
from clickstream.load.traffic.arrivals import RateAt, arrivals, exponential, shaped, traced
from clickstream.load.traffic.profiles import PROFILES


def _per_second(rate: float | RateAt, seconds: int) -> list[int]:
    counts = Counter(at // 1_000_000 for at in itertools.takewhile(lambda at: at < seconds * 1_000_000, arrivals(1, rate)))
    return [counts[second] for second in range(seconds)]


def test_they_are_the_same_on_any_machine() -> None:
    assert list(itertools.islice(arrivals(7, 1000), 3)) == [501, 723, 4470]
    assert list(itertools.islice(arrivals(8, 1000), 3)) != [501, 723, 4470]


def test_they_keep_the_rate_and_never_go_back() -> None:
    times = list(itertools.islice(arrivals(1, 1000.0), 20_000))

    assert times == sorted(times)
    assert times[-1] == pytest.approx(20_000_000, rel=0.03)


def test_the_draws_are_exponential() -> None:
    random = Random(1)
    draws = sorted(exponential(random) for _ in range(50_000))

    assert sum(draws) / len(draws) == pytest.approx(1.0, rel=0.02)
    # the quantiles of the distribution: ln 2, ln 10, ln 100
    for share, quantile in ((0.5, 0.6931), (0.9, 2.3026), (0.99, 4.6052)):
        assert draws[int(share * len(draws))] == pytest.approx(quantile, rel=0.04)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_the_mean_rate_that_was_asked_for(name: str) -> None:
    counts = _per_second(shaped(500.0, PROFILES[name].curve, 60, 0), 60)

    assert sum(counts) == pytest.approx(30_000, rel=0.04)


def test_black_friday_opens_with_a_rush_and_a_day_has_a_night() -> None:
    rush = _per_second(shaped(500.0, PROFILES["black-friday"].curve, 60, 0), 60)
    day = _per_second(shaped(500.0, PROFILES["day"].curve, 24, 0), 24)

    assert max(rush) > 2.5 * sum(rush[:5]) / 5
    assert day[20] > 5 * day[4]


def test_a_ramp_grows_from_almost_nothing() -> None:
    counts = _per_second(shaped(1_000.0, PROFILES["steady"].curve, 20, 10), 20)

    assert counts[0] < 200 < 400 < counts[5] < 700
    assert sum(counts[10:]) == pytest.approx(10_000, rel=0.05)


def test_a_trace_gives_each_second_its_own_rate_at_k_times() -> None:
    counts = _per_second(traced([10, 0, 300, 40], 4.0), 8)

    assert counts[0] == pytest.approx(40, abs=25)
    assert counts[1] <= 2
    assert counts[2] == pytest.approx(1_200, rel=0.1)
    assert counts[6] == pytest.approx(1_200, rel=0.1), "it begins again"


def test_a_trace_is_read_plain_packed_or_from_an_archive(tmp_path: Path) -> None:
    plain, packed, archive = tmp_path / "a.txt", tmp_path / "a.bz2", tmp_path / "a.tbz2"
    plain.write_text("12 0\n7.5\n99\n")
    packed.write_bytes(bz2.compress(plain.read_bytes()))
    with tarfile.open(archive, "w:bz2") as tar:
        tar.add(plain, "workload.txt")

    for path in (plain, packed, archive):
        assert traces.read(path, 3) == [12, 0, 7.5]


@pytest.mark.parametrize("word", ["many", "-1", "nan", "inf"])
def test_what_is_no_rate_is_named(tmp_path: Path, word: str) -> None:
    (tmp_path / "t").write_text(f"1\n{word}\n")

    with pytest.raises(UserMistake, match="number 2 is no rate"):
        traces.read(tmp_path / "t", 10)
