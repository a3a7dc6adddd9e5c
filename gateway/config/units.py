"""nginx's grammar of numbers, sizes, offsets and times; each function raises ValueError for what nginx refuses."""

from __future__ import annotations

# nginx's integers, sizes and offsets are signed and 64 bits wide where gateway runs.
MAX_INTEGER = 2**63 - 1

_SIZE_UNITS = {"k": 1 << 10, "m": 1 << 20}
_OFFSET_UNITS = _SIZE_UNITS | {"g": 1 << 30}

# In the order in which they may follow each other; "M" is a month, "m" a minute.
_TIME_UNITS = {"y": 31536000, "M": 2592000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0}
_RANK = {unit: rank for rank, unit in enumerate(_TIME_UNITS, 1)}


def parse_number(text: str) -> int:
    """Parse a decimal number without a sign."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"invalid number: {text!r}")
    value = number_of(text)
    if value > MAX_INTEGER:
        raise ValueError(f"number is too large: {text!r}")
    return value


def number_of(digits: str | bytes) -> int:
    """What digits say, wherever they come from: int() itself refuses thousands of them, be they zeros.

    What is larger than nginx's integers is MAX_INTEGER + 1.
    """
    if len(digits) > 18:
        digits = (digits.lstrip("0") if isinstance(digits, str) else digits.lstrip(b"0")) or "0"
        if len(digits) > 19:
            return MAX_INTEGER + 1
    return min(int(digits), MAX_INTEGER + 1)


def parse_size(text: str) -> int:
    """Parse bytes, or kilobytes and megabytes with k and m."""
    return _scaled(text, _SIZE_UNITS)


def parse_offset(text: str) -> int:
    """Parse a size that may also be in gigabytes, with g."""
    return _scaled(text, _OFFSET_UNITS)


def _scaled(text: str, units: dict[str, int]) -> int:
    scale = units.get(text[-1:].lower(), 0)
    value = parse_number(text[:-1] if scale else text) * (scale or 1)
    if value > MAX_INTEGER:
        raise ValueError(f"size is too large: {text!r}")
    return value


def parse_seconds(text: str) -> int:
    """Parse a time in whole seconds, such as 1d 12h; a number alone is seconds."""
    return _time(text, 1)


def parse_time_ms(text: str) -> int:
    """Parse a time in milliseconds, such as 1m30s or 500ms; a number alone is seconds, and years are unknown."""
    return _time(text, 1000)


def _time(text: str, per_second: int) -> int:
    total = 0
    # A time in milliseconds starts after the month: nginx refuses both years and months there.
    rank = 0 if per_second == 1 else _RANK["M"]
    position, end = 0, len(text)
    any_digits = False
    while position < end:
        start = position
        while position < end and text[position] in "0123456789":
            position += 1
        # A unit without digits before it counts as zero of it, so that only a time without any digit is refused.
        value = parse_number(text[start:position]) if position > start else 0
        any_digits = any_digits or position > start
        scale = per_second
        if position < end:
            if text[position] == " ":
                # A bare number followed by a space is seconds and ends the time, save for milliseconds' own unit.
                if rank >= _RANK["s"]:
                    raise ValueError(f"invalid time: {text!r}")
                rank = len(_RANK) + 1
            else:
                unit = "ms" if text.startswith("ms", position) else text[position]
                if _RANK.get(unit, 0) <= rank or (unit == "ms" and per_second == 1):
                    raise ValueError(f"invalid time: {text!r}")
                rank = _RANK[unit]
                scale = 1 if unit == "ms" else _TIME_UNITS[unit] * per_second
                position += len(unit)
        total += value * scale
        if total > MAX_INTEGER:
            raise ValueError(f"time is too large: {text!r}")
        while position < end and text[position] == " ":
            position += 1
    if not any_digits:
        raise ValueError(f"invalid time: {text!r}")
    return total
