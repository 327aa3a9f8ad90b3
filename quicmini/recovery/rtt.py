"""The estimate of the round-trip time (RFC 9002 §5), and what follows from it: probe timeout and loss delay.

Times in seconds.
"""

from __future__ import annotations

__all__ = ["GRANULARITY", "RttEstimator"]

GRANULARITY = 0.001  # seconds: kGranularity, RFC 9002 §6.1.2
TIME_THRESHOLD = 9 / 8  # round-trip times: kTimeThreshold, RFC 9002 §6.1.2
MIN_SAMPLE = 1e-6  # seconds: a clock may stand still between two calls; a pacing rate may not be infinite


class RttEstimator:
    """`smoothed`, `variation` (the RFC's rttvar), `minimum` and `latest` round-trip time.

    probe_interval: the probe timeout without the peer's max_ack_delay and without backoff (RFC 9002 §6.2.1).
    loss_delay: how long after its sending a packet is lost, once a later one was acknowledged (RFC 9002 §6.1.2).
    first_sample_at: when the first sample was taken; None before it, while `smoothed` is only the initial guess.
    """

    __slots__ = ("first_sample_at", "latest", "loss_delay", "minimum", "probe_interval", "smoothed", "variation")

    def __init__(self, initial_rtt: float) -> None:
        self.latest = 0.0
        self.minimum = 0.0
        self.smoothed = initial_rtt
        self.variation = initial_rtt / 2
        self.first_sample_at: float | None = None
        self._derive()

    def update(self, sample: float, ack_delay: float, now: float) -> None:
        """Take in one sample; `ack_delay` is the peer's, already limited as RFC 9002 §5.3 demands."""
        if sample < MIN_SAMPLE:
            sample = MIN_SAMPLE
        self.latest = sample
        if self.first_sample_at is None:
            self.first_sample_at = now
            self.minimum = self.smoothed = sample
            self.variation = sample / 2
        else:
            self._average(sample, ack_delay)
        self._derive()

    def forget_minimum(self) -> None:
        """After persistent congestion the path may be another one: its minimum starts anew (RFC 9002 §5.2)."""
        self.minimum = self.latest

    def _average(self, sample: float, ack_delay: float) -> None:
        if sample < self.minimum:
            self.minimum = sample
        # A delay that would bring the sample below the minimum is not believed (RFC 9002 §5.3).
        if sample >= self.minimum + ack_delay:
            sample -= ack_delay
        # The variation first, from the old average: the order of RFC 9002 §A.7 and RFC 6298 §2.3.
        self.variation += (abs(self.smoothed - sample) - self.variation) / 4
        self.smoothed += (sample - self.smoothed) / 8

    def _derive(self) -> None:
        # max() written out: it would cost as much as all the rest.
        smoothed, latest, variation = self.smoothed, self.latest, 4 * self.variation
        self.probe_interval = smoothed + (variation if variation > GRANULARITY else GRANULARITY)
        loss_delay = TIME_THRESHOLD * (smoothed if smoothed > latest else latest)
        self.loss_delay = loss_delay if loss_delay > GRANULARITY else GRANULARITY
