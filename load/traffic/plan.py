"""A run, wholly determined: what it sends and when is a function of these values and the moment it starts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from clickstream.load.traffic.arrivals import RateAt, arrivals, shaped, traced
from clickstream.load.traffic.faults import AT_THE_DOOR, MALFORMED, NONE, Emission
from clickstream.load.traffic.hostility import Hostiles
from clickstream.load.traffic.profiles import PROFILES, Profile
from clickstream.load.traffic.records import Traffic
from clickstream.load.traffic.shop.visitors import Season, Shop, shop_for

#: One run sends at most this many records and lasts at most this long, whatever it was asked for.
MAX_RECORDS = 5_000_000
MAX_SECONDS = 24 * 3600.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` records per second in the mean for ``duration_s`` seconds, the same for the same seed.

    A plan may be one ``part`` of several that run side by side: each has its share of the rate, and people of its own.
    """

    rate: float
    duration_s: float
    ramp_s: float = 0.0
    seed: int = 1
    profile: str = "steady"
    faults: bool = True
    max_records: int = MAX_RECORDS
    trace: tuple[float, ...] = ()
    """Records per second, second by second, in place of the rate and the profile's curve."""
    trace_times: float = 1.0
    is_checked_at_the_door: bool = False
    """What is sent passes a collector, which refuses what is no event; so what only a reader can refuse is left out."""
    part: int = 0
    parts: int = 1

    @property
    def records(self) -> int:
        """How many records it will be, about."""
        return min(self.max_records, int(self.rate * self.seconds))

    @property
    def seconds(self) -> float:
        return min(self.duration_s, MAX_SECONDS)

    def split(self, parts: int) -> list[Plan]:
        return [
            msgspec.structs.replace(
                self,
                rate=self.rate / parts,
                trace_times=self.trace_times / parts,
                max_records=-(-self.max_records // parts),
                part=part,
                parts=parts,
            )
            for part in range(parts)
        ]

    def traffic(self, started_ms: int) -> Traffic:
        """The records' source for a run that starts at ``started_ms`` (milliseconds since the epoch)."""
        profile = self._profile
        ordinary = shop_for(self.rate)
        shop = Shop(concurrent=ordinary.concurrent, first_visitor=self.part * ordinary.visitors)
        begin, end = (started_ms + int(share * self.seconds * 1000) for share in profile.sale_span)
        season = Season(attacks=profile.attacks, hot=profile.hot, sale=profile.sale, sale_from_ms=begin, sale_to_ms=end)
        rates = profile.rates if self.faults else NONE
        hostiles = Hostiles(self.seed, profile.hostile, self.part) if self.is_hostile else None
        return Traffic(self.seed, shop, rates, season, AT_THE_DOOR if self.is_checked_at_the_door else MALFORMED, hostiles)

    def offsets_us(self) -> Iterator[int]:
        """Intended send times in microseconds after the start; ends with the run."""
        if self.trace:
            rate: float | RateAt = traced(self.trace, self.trace_times)
        else:
            rate = shaped(self.rate, self._profile.curve, self.seconds, self.ramp_s)
        limit_us = self.seconds * 1e6
        for number, offset_us in enumerate(arrivals(f"{self.seed} {self.part}", rate)):
            if number == self.max_records or offset_us >= limit_us:
                return
            yield offset_us

    def emissions(self, started_ms: int) -> Iterator[tuple[int, Emission]]:
        """(intended time in microseconds after the start, record), in order."""
        traffic = self.traffic(started_ms)
        if self._profile.by_visitor_h:
            yield from self._backfill(traffic, started_ms)
            return
        for offset_us in self.offsets_us():
            yield offset_us, traffic.emit(started_ms + offset_us // 1000)

    def _backfill(self, traffic: Traffic, started_ms: int) -> Iterator[tuple[int, Emission]]:
        offsets_us = list(self.offsets_us())
        length_ms = self._profile.by_visitor_h * 3_600_000
        stretched = length_ms / (self.seconds * 1000)
        past = [traffic.emit(int(started_ms - length_ms + offset_us / 1000 * stretched)) for offset_us in offsets_us]
        yield from zip(offsets_us, sorted(past, key=lambda emission: emission.key), strict=True)

    @property
    def is_hostile(self) -> bool:
        return bool(self._profile.hostile) and self.faults

    @property
    def _profile(self) -> Profile:
        return PROFILES[self.profile]
