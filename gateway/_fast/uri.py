"""Request URIs and the escapes around them, as nginx reads and writes them."""

from __future__ import annotations

# What a state of the path walk means: inside a segment, after a slash, after "/.", after "/..".
_SEGMENT, _SLASH, _DOT, _DOT_DOT = range(4)


def _hex(c: int) -> int:
    if 48 <= c <= 57:
        return c - 48
    c |= 0x20
    if 97 <= c <= 102:
        return c - 87
    return -1


def normalize(target: bytes, merge_slashes: bool = True, empty_path: bool = False) -> tuple[bytes, bytes, bytes]:
    """The path decoded and without dots and doubled slashes, the arguments, the extension; ValueError if nginx refuses.

    `empty_path` is for "http://host?args", whose path is "/".
    """
    size: int = len(target)
    out = bytearray(size + 1)
    n: int = 0              # written
    i: int = 0              # read
    ext: int = 0            # where the extension starts in out, 0 without one
    state: int = _SEGMENT
    c: int
    high: int
    low: int
    decoded: bool
    args = b""

    if empty_path:
        out[0] = 47
        n = 1

    while i < size:
        c = target[i]
        i += 1
        decoded = False

        if c == 37:
            if i + 2 > size:
                raise ValueError("a percent sign without two digits")
            high = _hex(target[i])
            low = _hex(target[i + 1])
            if high < 0 or low < 0:
                raise ValueError("a percent sign without two digits")
            i += 2
            c = high * 16 + low
            if c == 0:
                raise ValueError("an escaped NUL")
            # An escaped % # or ? is text; an escaped slash or dot means what the plain one does.
            decoded = c == 37 or c == 35 or c == 63

        if not decoded and (c == 63 or c == 35):
            break_state: int = state
            if break_state == _DOT:
                n -= 1
            elif break_state == _DOT_DOT:
                n = _parent(out, n)
            state = _SEGMENT
            if c == 63:
                args = target[i:]
                fragment: int = args.find(b"#")
                if fragment >= 0:
                    args = args[:fragment]
            break

        if not decoded and c == 47:
            if state == _SEGMENT:
                ext = 0
                out[n] = 47
                n += 1
            elif state == _SLASH:
                if not merge_slashes:
                    out[n] = 47
                    n += 1
            elif state == _DOT:
                n -= 1
            else:
                n = _parent(out, n)
            state = _SLASH
            continue

        out[n] = c
        n += 1
        if not decoded and c == 46:
            if state == _SEGMENT:
                ext = n
            elif state == _SLASH:
                state = _DOT
            elif state == _DOT:
                state = _DOT_DOT
            else:
                state = _SEGMENT
        else:
            state = _SEGMENT

    if state == _DOT:
        n -= 1
    elif state == _DOT_DOT:
        n = _parent(out, n)

    path = bytes(out[:n])
    return path, args, path[ext:] if ext else b""


def _parent(out: bytearray, n: int) -> int:
    """Where to go on after "/..": behind the slash before the last segment."""
    i: int = n - 4
    while i >= 0 and out[i] != 47:
        i -= 1
    if i < 0:
        raise ValueError("a path above the root")
    return i + 1
