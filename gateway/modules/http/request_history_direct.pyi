"""request_history's log phase in C; what request_history.py has is its twin."""

from typing import final

from gateway.modules.http.request_history import Keep

@final
class DirectKeep(Keep):
    """Keep, whose `run` goes the usual way without an object of Python's being made, counted or looked up by name."""
