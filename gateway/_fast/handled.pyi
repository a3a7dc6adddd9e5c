from collections.abc import Callable
from typing import Protocol, type_check_only

from gateway._fast.poller import Source

@type_check_only
class Owner(Protocol):
    """Whose stream it is."""

    def crashed(self, error: Exception) -> None:
        """A handler of the stream's events raised; the stream closes."""

class Handled(Source):
    handler: Callable[[], object] | None
    on_deadline: Callable[[], object] | None
    on_crash: Owner | None
    deadline: float
    def set_deadline(self, value: float) -> None: ...
    @property
    def readable(self) -> bool: ...
    @property
    def spent(self) -> bool: ...
    def spend(self, cost: int) -> bool: ...
    def renew(self) -> None: ...
    def close(self, reset: bool = False) -> None: ...
