"""What was probably meant by the name of a zone, a cache or a log's format that is refused, or that nobody makes.

As in `hints`: nginx's line says what is wrong, and for a zone that nobody makes not even where.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config.errors import Note, Where, in_quotes

if TYPE_CHECKING:
    from gateway.config.outline import Outline, Place

_ZONE: Final = re.compile(r"(?:keys_)?zone=([^:=]+):.*")
_FAMILIES: Final = ("proxy", "fastcgi", "uwsgi", "scgi")
# Who uses a name: which directive makes it, and a line that does.
_MAKERS: Final = {
    "limit_req": ("limit_req_zone", "limit_req_zone $binary_remote_addr zone=%s:10m rate=10r/s;"),
    "limit_conn": ("limit_conn_zone", "limit_conn_zone $binary_remote_addr zone=%s:10m;"),
    "keyval": ("keyval_zone", "keyval_zone zone=%s:1m;"),
    "access_log": ("log_format", "log_format %s '$remote_addr [$time_local] \"$request\" $status';"),
} | {
    f"{family}_cache": (f"{family}_cache_path", f"{family}_cache_path /var/cache/gateway keys_zone=%s:10m;")
    for family in _FAMILIES
}
_LEVELS: Final = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")


def by_words(message: str, words: list[str]) -> str:
    """Of a directive that makes a zone or uses one; nothing where nothing is known."""
    name, args = words[0], words[1:]
    if message.startswith(("invalid session cache", "session cache")) and "too small" not in message:
        return "a cache for all workers has a name and a size: ssl_session_cache shared:SSL:10m;"
    if message.startswith("session cache"):
        return "the size has a letter behind it, and is 8k at least: ssl_session_cache shared:SSL:10m;"
    sized = re.match(r'invalid (?:keys )?zone size "((?:keys_)?zone=[^:"]+):?(.*)"', message)
    if sized:
        return f"a zone is made of a name and a size: {sized[1]}:10m"
    wrong = in_quotes(message)
    if message.startswith("invalid parameter"):
        return _parameter(name, args, wrong)
    if message.startswith("invalid number of arguments"):
        return _too_few(name, args)
    return ""


def _parameter(name: str, args: list[str], wrong: str) -> str:
    if name == "limit_req" and wrong.startswith("rate="):
        zone = next((word.partition(":")[0] for word in args if word.startswith("zone=")), "zone=NAME")
        return f"the rate, the key and the size stand in limit_req_zone, in http; here is the name: limit_req {zone};"
    if name == "limit_req" and not any(word.startswith("zone=") for word in args) and re.fullmatch(r"[\w-]+", wrong):
        return f"the name stands behind zone=: limit_req {' '.join(['zone=' + wrong, *args[1:]])};"
    if name == "limit_req" and wrong in ("burst", "delay"):
        return f"it has a number: {wrong}=10"
    if name in ("limit_req_zone", "limit_conn_zone") and wrong.partition("=")[0] in ("burst", "nodelay", "delay"):
        return f"{wrong.partition('=')[0]} stands where the zone is used: limit_req zone=NAME {wrong};"
    if name.endswith("_cache_path") and wrong.startswith("zone="):
        return f"it is called keys_{wrong} here"
    return ""


def _too_few(name: str, args: list[str]) -> str:
    if name == "limit_conn" and len(args) == 1:
        return f"the number of connections stands behind the name: limit_conn {args[0].removeprefix('zone=')} 10;"
    if name == "limit_req_zone" and args[:1] and args[0].startswith("zone="):
        return f"what is counted comes first: limit_req_zone $binary_remote_addr {' '.join(args)};"
    if name == "limit_req_zone" and len(args) == 2:
        return f"how many are let through is missing: limit_req_zone {' '.join(args)} rate=10r/s;"
    if name == "limit_conn_zone" and len(args) == 1 and args[0].startswith("zone="):
        return f"what is counted comes first: limit_conn_zone $binary_remote_addr {args[0]};"
    if name.endswith("_cache_path") and len(args) == 1:
        return f"a cache has a zone for its keys: {name} {args[0]} keys_zone=NAME:10m;"
    return ""


def undefined(message: str, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    """Of a name that nobody makes: where it is used, and what makes one."""
    found = re.fullmatch(
        r'(?:zero size shared memory zone|"\w+_cache" zone|unknown log format) "([^"]*)"(?: is unknown)?', message
    )
    if found is None:
        return
    name = found[1]
    places = [place for file in files for place in outline.statements(file)]
    for place in places:
        words = [token.text for token in place.reading.tokens]
        at = next((at for at, word in enumerate(words) if at and word in (name, f"zone={name}")), 0)
        if not at or not _uses(words, message):
            continue
        if not message.startswith("unknown"):  # there nginx says it
            yield Note("it is used here", place.reading.tokens[at].where)
        yield from _meant(name, words, place, places)
        return


def _uses(words: list[str], message: str) -> bool:
    if message.startswith('"'):
        return message.startswith(f'"{words[0]}"')
    if message.startswith("unknown"):
        return words[0] == "access_log"
    return words[0] in ("limit_req", "limit_conn", "keyval", "zone", "sticky")


def _meant(name: str, words: list[str], user: Place, places: list[Place]) -> Iterator[Note]:
    said = _written_wrongly(name, words)
    if said:
        yield Note(said)
        return
    if words[0] not in _MAKERS:
        return
    maker, line = _MAKERS[words[0]]
    made = {}
    outermost = user.blocks[0].tokens[0].text if user.blocks else ""
    for place in places:
        told = [token.text for token in place.reading.tokens]
        around = place.blocks[0].tokens[0].text if place.blocks else outermost
        if told[0] == maker and around == (outermost or around):
            made[_made_by(told)] = place.reading.where
    made.pop("", None)
    if name in made:
        yield Note(f"it is defined here, and has to stand above where it is used: {maker} {name}", made[name])
        return
    near = _nearest(name, made)
    if near:
        yield Note(f'did you mean "{near}"?', made[near])
    elif made:
        yield Note(f"{maker} makes {', '.join(sorted(made)[:5])}, and none of this name")
    else:
        yield Note(f"nothing makes it: in {outermost or 'http'} stands {line % name}")


def _written_wrongly(name: str, words: list[str]) -> str:
    """The name has more in it than a name."""
    user = words[0]
    if user == "zone":
        return f"one of the upstreams that share a zone says its size: zone {name} 64k;"
    if user == "limit_conn" and name.startswith("zone="):
        return f"limit_conn takes the name alone: limit_conn {name.removeprefix('zone=')} {' '.join(words[2:])};"
    if user == "limit_req" and "," in name:
        return f"a space stands between parameters: limit_req zone={' '.join(filter(None, name.split(',')))};"
    if user in ("limit_req", "limit_conn") and ":" in name:
        return f"the size stands in {user}_zone alone; here is the name: {name.partition(':')[0]}"
    if user.endswith("_cache") and name in ("on", "yes", "true"):
        return f"{user} wants the name of a zone that {user}_path makes, or off"
    if user == "access_log" and name in _LEVELS:
        return f'"{name}" is a level of error_log; behind an access_log\'s file stands the name of a log_format'
    if user == "access_log" and re.fullmatch(r"\d+[kmKM]?", name):
        return f"a buffer is named: buffer={name}, behind the format"
    return ""


def _made_by(words: list[str]) -> str:
    if words[0] == "log_format":
        return words[1] if len(words) > 1 else ""
    zone = next(filter(None, map(_ZONE.fullmatch, words)), None)
    return zone[1] if zone is not None else ""


def _nearest(name: str, made: dict[str, Where]) -> str:
    lower = {each.lower(): each for each in made}
    found = difflib.get_close_matches(name.lower(), lower, 1, 0.7)
    return lower[found[0]] if found else ""


def other_one(message: str, where: Where, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    """Who has the name of a zone already."""
    name = in_quotes(message)
    for file in files:
        for place in outline.statements(file):
            words = [token.text for token in place.reading.tokens]
            made = _made_by(words) or (words[1] if words[0] == "zone" and len(words) > 1 else "")
            if made == name and place.reading.where.first_line != where.first_line:
                yield Note("the other one of this name stands here", place.reading.where)
                return


def upstream(message: str, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    """The upstream block whose name is nearly the host that was not found."""
    host = in_quotes(message).partition(":")[0].partition("/")[0]
    made = {
        place.reading.tokens[1].text: place.reading.where
        for file in files
        for place in outline.statements(file)
        if place.reading.tokens[0].text == "upstream" and len(place.reading.tokens) > 1
    }
    near = _nearest(host, made)
    if near:
        yield Note(f'did you mean "{near}"?', made[near])
