"""The plan of a server: the handlers that its sessions go through, phase after phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.stream.module import Content, Handler, Phase

if TYPE_CHECKING:
    from gateway.stream.module import StreamModule
    from gateway.stream.servers import Server


class Plan:
    """Made when the configuration is complete. Compiled with the types of plan.pxd."""

    def __init__(self, phases: list[list[Handler]], content: Content | None, log: list[Handler]) -> None:
        self.phases = phases  # those before the content, by their number
        self.content = content  # None: sessions end with status 500
        self.log_handlers = log


def make_plan(server: Server, modules: Sequence[StreamModule]) -> Plan:
    """Ask every module for its part; within a phase handlers run in the modules' order."""
    handlers: dict[Phase, list[Handler]] = {phase: [] for phase in Phase}
    content: Content | None = None
    for module in modules:
        if module.plan is None:
            continue
        contribution = module.plan(server.confs.get(module), server)
        for phase, handler in contribution.handlers.items():
            handlers[phase].append(handler)
        if module is server.content_by:
            content = contribution.content
    before = [handlers[phase] for phase in Phase if phase < Phase.CONTENT]
    return Plan(before, content, handlers[Phase.LOG])
