"""The laws of a fold hold: under any batches, after any crash, and after a split."""

from wishlist import APPLICATION

from clickstream.testing import check


def test_the_laws_hold():
    check(APPLICATION)
