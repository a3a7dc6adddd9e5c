from gateway._fast.zones import Words

class ZoneCounts:
    """What a status_zone counts: five words, and one for each status from 100 to 599 from `codes` on."""

    def __init__(self, words: Words, codes: int) -> None: ...
    def begins(self) -> None:
        """A request is under way."""
    def leaves(self) -> None: ...
    def ended(self, status: int, received: int, sent: int) -> None:
        """A request; with a status that is none, one that was not answered."""
    def took(self, bucket: int, sum_: int, ms: int) -> None:
        """One more in a histogram's bucket, and so many milliseconds in its sum."""
