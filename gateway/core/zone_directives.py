"""What directives say of shared zones: `zone=NAME:SIZE`, and the zone of a name (ngx_shared_memory_add)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import units
from gateway.core.zones import LEAST_SIZE, ZONES, ZoneError

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.core.zones import Zone


def add_zone(command: Command, name: str, size: int, owner: str, *, reuse: bool = True) -> Zone:
    """The zone of this name; 0 bytes: its size stands in another directive. Fails when it is somebody else's."""
    try:
        return command.loader.parts.get(ZONES).add(name, size, owner, reuse=reuse)
    except ZoneError as error:
        command.fail(str(error))


def no_more_than(command: Command, count: int) -> None:
    """So many words as nginx takes, beside `sync`, which is ours."""
    if len(command.args) - ("sync" in command.args) > count:
        command.fail(f'invalid number of arguments in "{command.name}" directive')


def name_and_size(command: Command, word: str) -> tuple[str, int]:
    """The name and the bytes of a parameter `zone=NAME:SIZE`; the name may be empty."""
    name, colon, text = word.removeprefix("zone=").partition(":")
    try:
        size = units.parse_size(text) if colon else -1
    except ValueError:
        size = -1
    if size < 0:
        command.fail(f'invalid zone size "{word}"')
    if size < LEAST_SIZE:
        command.fail(f'zone "{word}" is too small')
    return name, size
