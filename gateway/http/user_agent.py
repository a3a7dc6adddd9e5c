"""Browsers of which nginx knows that they need something else."""

from __future__ import annotations


def is_msie(agent: bytes) -> bool:
    """Whether it says that it is Internet Explorer, and not that it is Opera too."""
    at = agent.find(b"MSIE ")
    return 0 <= at < len(agent) - 7 and b"Opera" not in agent


def is_chrome(agent: bytes) -> bool:
    """Whether it says that it is Chrome, and nothing else that it could be."""
    others = (b"Gecko/", b"Opera")
    return b"Chrome/" in agent and not is_msie(agent) and not any(name in agent for name in others)
