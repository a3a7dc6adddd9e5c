from collections.abc import Callable, Mapping

class Search:
    """Strings to be found, by their numbers, in the order in which they count at one place. Errors: ValueError."""

    def __init__(self, strings: Mapping[int, bytes]) -> None: ...

class Replacer:
    """One body on its way: what is found is replaced by `value_of(number)`, asked for once; `once`: the first time."""

    def __init__(self, search: Search, value_of: Callable[[int], bytes], once: bool) -> None: ...
    @property
    def done(self) -> bool:
        """Nothing is looked for any more."""

    @property
    def held(self) -> bytes:
        """What may be the beginning of a string."""

    def feed(self, data: bytes, out: list[bytes]) -> None:
        """Take a part of the body, and put what is known of it now into `out`."""

    def finish(self) -> bytes:
        """What was held: no string goes on."""
