"""Failures that name their cause: what is written behind nginx's own lines of the error log.

One file for each family of causes; `install` hands them to a configuration. Nothing here is needed to serve, and
nothing of it runs as long as nothing fails.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from gateway.dev.diagnosis import (
    big_head,
    body_size,
    closed,
    handshakes,
    heads,
    malformed,
    mixups,
    no_live,
    packets,
    redirections,
    resolving,
    resources,
    rules,
    scripts,
    static_files,
    tcp,
    timeouts,
    unix_sockets,
)
from gateway.dev.diagnosis.explainer import Explainer
from gateway.dev.diagnosis.failure import Family
from gateway.dev.diagnosis.heard import Heard
from gateway.dev.failure_page import ENVIRONMENT
from gateway.http.setters import locations_of
from gateway.modules.http.diagnosis import module

# The first that knows the line explains it.
FAMILIES: Final[tuple[Family, ...]] = (
    closed.FAMILY,
    timeouts.FAMILY,
    unix_sockets.FAMILY,
    tcp.FAMILY,
    mixups.FAMILY,
    handshakes.FAMILY,
    heads.FAMILY,
    big_head.FAMILY,
    packets.FAMILY,
    no_live.FAMILY,
    body_size.FAMILY,
    malformed.FAMILY,
    resolving.FAMILY,
    scripts.FAMILY,
    redirections.FAMILY,
    resources.FAMILY,
    static_files.FAMILY,
)
# What a configuration refuses on purpose is no failure: a second line for each would fill the log of a site under
# attack. Where failures are shown on their page, somebody wonders why.
ON_PAGES: Final[tuple[Family, ...]] = (*FAMILIES, rules.FAMILY)


def install(http: Any) -> None:
    """Let the http part of a configuration explain its failures, to clients too where it says so."""
    development = os.environ.get(ENVIRONMENT)
    pages = bool(development) or any(location.confs[module].page for location in locations_of(http))
    explainer = http.diagnosis = Explainer(ON_PAGES if pages else FAMILIES, Heard())
    if pages:
        from gateway.dev.diagnosis.pages import Pages  # for development

        explainer.pages = http.failure_pages = Pages(Path(development) if development else None)
