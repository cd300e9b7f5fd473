"""What a run of the soak is judged by: slopes, and how sure they are."""

import random

from loadtests.trend import LEAST_WARM_UP, Trend, trend

SECONDS = range(0, 1800, 2)


def samples(grows: float, noise: float = 3.0, level: float = 400.0) -> list[tuple[float, float]]:
    """Half an hour that is filled in its first two minutes and grows by so much an hour."""
    dice = random.Random(1)
    filled = [min(1.0, at / LEAST_WARM_UP) for at in SECONDS]
    return [
        (float(at), level * full + grows * at / 3600 + dice.gauss(0, noise))
        for at, full in zip(SECONDS, filled, strict=True)
    ]


def judged(grows: float, noise: float = 3.0) -> str:
    found = trend(samples(grows, noise))
    assert found
    return found.verdict(0.1)


def test_what_is_filled_at_first_and_level_then_is_flat():
    assert judged(grows=0) == judged(grows=10) == judged(grows=-200) == "flat"


def test_what_surely_grows_by_more_than_does_not_matter_is_growing():
    assert judged(grows=100) == "growing"


def test_what_is_too_noisy_to_tell_is_unclear():
    assert judged(grows=40, noise=150) == "unclear"


def test_the_slope_is_that_of_an_hour_and_lies_in_its_interval():
    found = trend(samples(grows=120))
    assert isinstance(found, Trend)
    assert found.least < 120 < found.most
    assert 420 < found.level < 460


def test_a_run_that_is_not_longer_than_its_warming_up_says_nothing():
    assert trend(samples(grows=0)[:60]) is None
    assert trend([]) is None
