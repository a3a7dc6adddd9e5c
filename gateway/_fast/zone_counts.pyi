from typing import final

from gateway._fast.zones import Words

@final
class ZoneCounts:
    """What a status_zone counts: five words, and one for each status from 100 to 599 from `codes` on.

    How long requests took is counted in buckets from `times` on, and in a sum so many words behind the first. The words
    are one worker's, and nobody else writes them: an atomic would cost what ten additions do, and more where
    several processors want the same line of their caches. Who reads adds the workers' words up.
    """

    def __init__(self, words: Words, codes: int, times: int, sum_: int) -> None: ...
    def begins(self) -> None:
        """A request is under way."""
    def leaves(self) -> None: ...
    def ended(self, status: int, received: int, sent: int, ms: int) -> None:
        """A request; with a status that is none, one that was not answered.

        It took so many milliseconds, which belong into the first bucket; a negative number is not counted here.
        """
    def took(self, bucket: int, sum_: int, ms: int) -> None:
        """One more in a histogram's bucket, and so many milliseconds in its sum."""

def sums(rows: list[Words], first: int, end: int) -> list[int]:
    """Of these words in all rows."""

def nonzero(rows: list[Words], first: int, end: int) -> dict[int, int]:
    """Those sums that are not 0, by their place from `first` on."""
