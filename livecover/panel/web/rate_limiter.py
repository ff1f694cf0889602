"""How many messages a page may send."""


class RateLimiter:
    """A token bucket: ``rate`` messages a second after a burst of ``burst``.

    >>> limiter = RateLimiter(rate=1.0, burst=2, now=0.0)
    >>> [limiter.allows(now) for now in (0.0, 0.0, 0.0, 1.0)]
    [True, True, False, True]
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = float(burst)
        self._then = now

    def allows(self, now: float, cost: float = 1.0) -> bool:
        """Return whether a message of that cost is allowed at ``now``, and count it if so."""
        self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < cost:
            return False
        self._left -= cost
        return True
