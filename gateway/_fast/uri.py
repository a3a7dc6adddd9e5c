# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Request URIs and the escapes around them, as nginx reads and writes them."""

from __future__ import annotations

# Where the walk over a path is: inside a segment, behind a slash, behind "/.", behind "/..".
_SEGMENT = 0
_SLASH = 1
_DOT = 2
_DOT_DOT = 3


def _hex(c: int) -> int:
    if 48 <= c <= 57:
        return c - 48
    c |= 0x20
    if 97 <= c <= 102:
        return c - 87
    return -1


def _parent(out: bytearray, n: int) -> int:
    """Where to go on after "/..": behind the slash before the last segment."""
    i = n - 4
    while i >= 0 and out[i] != 47:
        i -= 1
    if i < 0:
        raise ValueError("a path above the root")
    return i + 1


def normalize(target: bytes, merge_slashes: bool = True, empty_path: bool = False) -> tuple[bytes, bytes, bytes]:
    """The path decoded and without dots and doubled slashes, the arguments, the extension; ValueError if nginx refuses.

    `empty_path` is for what stands in "http://host?args", where the path is "/".
    """
    size = len(target)
    out = bytearray(size + 1)
    n = 0  # written
    i = 0  # read
    ext = 0  # where the extension starts in out; 0 without one
    state = _SEGMENT
    args = b""
    if empty_path:
        out[0] = 47
        n = 1

    while i < size:
        c = target[i]
        i += 1
        literal = False

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
            literal = c == 37 or c == 35 or c == 63

        if not literal and (c == 63 or c == 35):
            if c == 63:
                args = target[i:]
                fragment = args.find(b"#")
                if fragment >= 0:
                    args = args[:fragment]
            break

        if not literal and c == 47:
            if state == _DOT:
                n -= 1
            elif state == _DOT_DOT:
                n = _parent(out, n)
            elif state == _SEGMENT or not merge_slashes:
                out[n] = 47
                n += 1
                ext = 0
            state = _SLASH
            continue

        out[n] = c
        n += 1
        if literal or c != 46 or state == _DOT_DOT:
            state = _SEGMENT
        elif state == _SEGMENT:
            ext = n
        else:
            state += 1

    if state == _DOT:
        n -= 1
    elif state == _DOT_DOT:
        n = _parent(out, n)

    path = bytes(out[:n])
    return path, args, path[ext:] if ext else b""


_CONTROL = bytes([*range(0x21), 0x7F])
_HIGH = bytes(range(0x80, 256))
_ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# What each kind escapes (ngx_escape_uri); refresh leaves } and takes ~, as nginx has it.
_ESCAPED = {
    "uri": _CONTROL + _HIGH + b'"#%<>?\\^`{|}',
    "args": _CONTROL + _HIGH + b'"#%&+;<>?\\^`{|}',
    "uri_component": bytes(c for c in range(256) if c not in _ALNUM + b"-._~"),
    "html": _CONTROL + _HIGH + b"\"#%'<>\\^`{|}",
    "refresh": _CONTROL + _HIGH + b"\"'<>\\^`{|~",
    "memcached": bytes(range(0x21)) + b"%",
    "mail_auth": bytes(range(0x21)) + b"%",
    "mail_xtext": _CONTROL + _HIGH + b"+=",
}
_PREFIX = {kind: 43 if kind == "mail_xtext" else 37 for kind in _ESCAPED}
# One byte for each byte: 1 where it is escaped.
_FLAGS = {kind: bytes(c in escaped for c in range(256)) for kind, escaped in _ESCAPED.items()}
_DIGITS = b"0123456789ABCDEF"


def escape(data: bytes, kind: str) -> bytes:
    """The data with what `kind` does not allow as %XX: uri, args, uri_component, html, refresh, memcached, mail_…."""
    flags = _FLAGS[kind]
    digits = _DIGITS
    more = 0
    for c in data:
        more += flags[c]
    if not more:
        return data
    prefix = _PREFIX[kind]
    out = bytearray(len(data) + 2 * more)
    n = 0
    for c in data:
        if flags[c]:
            out[n] = prefix
            out[n + 1] = digits[c >> 4]
            out[n + 2] = digits[c & 15]
            n += 3
        else:
            out[n] = c
            n += 1
    return bytes(out)


def unescape(data: bytes, kind: str = "all") -> bytes:
    """%XX decoded (ngx_unescape_uri). "uri" leaves what follows a ?; "redirect" also what is not plain ASCII.

    A percent sign that no digit follows is dropped; with one digit, the digit and what follows it too.
    """
    if b"%" not in data:
        return data
    size = len(data)
    out = bytearray(size)
    n = 0
    i = 0
    redirect = kind == "redirect"
    until_args = redirect or kind == "uri"
    while i < size:
        c = data[i]
        i += 1
        if c == 37:
            if i == size:
                break
            high = _hex(data[i])
            if high < 0:
                # nginx does not take this byte for a ? or a %
                out[n] = data[i]
                n += 1
                i += 1
                continue
            i += 1
            if i == size:
                break
            low = _hex(data[i])
            i += 1
            if low < 0:
                continue
            c = high * 16 + low
            if redirect and c != 63 and not 37 < c < 0x7F:
                out[n] = 37
                out[n + 1] = data[i - 2]
                out[n + 2] = data[i - 1]
                n += 3
                continue
        out[n] = c
        n += 1
        if c == 63 and until_args:
            return bytes(out[:n]) + data[i:]
    return bytes(out[:n])


def escape_html(data: bytes) -> bytes:
    """& < > " as entities (ngx_escape_html)."""
    return data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b'"', b"&quot;")


_JSON_SAFE = bytes(c for c in range(0x20, 256) if c not in b'"\\')
_JSON_TABLE = [b"\\u%04X" % c if c < 0x20 else bytes([c]) for c in range(256)]
for _c, _escaped in zip(b'"\\\n\r\t\b\f', (b'\\"', b"\\\\", b"\\n", b"\\r", b"\\t", b"\\b", b"\\f"), strict=True):
    _JSON_TABLE[_c] = _escaped


def escape_json(data: bytes) -> bytes:
    """What may stand between quotes in JSON (ngx_escape_json); bytes above 0x7f stay as they are."""
    if not data.translate(None, _JSON_SAFE):
        return data
    return b"".join([_JSON_TABLE[c] for c in data])


def args_get(args: bytes, name: bytes) -> bytes | None:
    """$arg_name: the first argument of that name, in whatever case; None without."""
    n = len(name)
    if n == 0 or not args:
        return None
    lower = args.lower()
    wanted = name.lower()
    # the = after the name takes one byte
    end = len(args) - 1
    i = lower.find(wanted, 0, end)
    while i >= 0:
        if (i == 0 or args[i - 1] == 38) and args[i + n] == 61:
            i += n + 1
            end = args.find(b"&", i)
            return args[i:] if end < 0 else args[i:end]
        i = lower.find(wanted, i + 1, end)
    return None


def cookie_get(values: list[bytes], name: bytes) -> bytes | None:
    """$cookie_name, from all Cookie fields."""
    return multi_get(values, name, b";")


def multi_get(values: list[bytes], name: bytes, separator: bytes) -> bytes | None:
    """The value of the first "name=value" in lists such as a=1; b=2 (ngx_http_parse_multi_header_lines)."""
    wanted = name.lower()
    n = len(name)
    mark = separator[0]
    for value in values:
        end = len(value)
        if n > end:
            continue
        start = 0
        while start < end:
            if value[start : start + n].lower() == wanted:
                start += n
                while start < end and value[start] == 32:
                    start += 1
                if start < end:
                    start += 1
                    if value[start - 1] == 61:
                        while start < end and value[start] == 32:
                            start += 1
                        last = start
                        while last < end and value[last] != mark:
                            last += 1
                        return value[start:last]
                # Without = the byte that stood there is passed over, be it a separator: nginx's reading.
            while start < end:
                start += 1
                if value[start - 1] == mark:
                    break
            while start < end and value[start] == 32:
                start += 1
    return None


def set_cookie_get(values: list[bytes], name: bytes) -> bytes | None:
    """$upstream_cookie_name, from all Set-Cookie fields: only what stands first in each."""
    wanted = name.lower()
    n = len(name)
    for value in values:
        end = len(value)
        if n >= end or value[:n].lower() != wanted:
            continue
        start = n
        while start < end and value[start] == 32:
            start += 1
        if start == end or value[start] != 61:
            continue
        start += 1
        while start < end and value[start] == 32:
            start += 1
        end = value.find(b";", start)
        return value[start:] if end < 0 else value[start:end]
    return None


def safe_uri(uri: bytes) -> tuple[bytes, bytes] | None:
    """A URI from an upstream or a configuration as (decoded path, arguments); None where nginx calls it unsafe."""
    path, _, args = uri.partition(b"?")
    if not path or path.startswith(b"../") or path == b".." or b"\0" in path or _climbs(path):
        return None
    if b"%" in path:
        path = unescape(path)
        if path.startswith(b"../") or path == b".." or b"\0" in path or _climbs(path):
            return None
    return path, args


def _climbs(path: bytes) -> bool:
    return b"/../" in path or path.endswith(b"/..")
