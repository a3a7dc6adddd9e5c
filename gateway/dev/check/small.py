"""Rules about compression, limits, logs and the processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.dev.check.block import Block
from gateway.dev.check.edits import Edit, quoted, removed, replaced
from gateway.dev.check.rule import Problem, rule

_COMPRESSED: Final = frozenset({
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "application/zip", "application/gzip",
    "application/x-gzip", "application/x-bzip2", "application/x-7z-compressed", "application/x-rar-compressed",
    "audio/mpeg", "audio/ogg", "video/mp4", "video/webm", "video/mpeg", "font/woff", "font/woff2",
    "application/font-woff", "application/font-woff2", "application/pdf",
})  # fmt: skip


@rule("GW701", "gzip-of-compressed", "note")
def gzip_of_compressed(config: Block) -> Iterator[Problem]:
    """Images, archives and woff fonts are compressed already: gzip costs time and makes them larger."""
    for _, statement in config.everywhere("gzip_types"):
        wasted = [word for word in statement.args if word.lower() in _COMPRESSED]
        if wasted:
            kept = [word for word in statement.args if word not in wasted]
            edit = replaced(statement, "gzip_types", *kept) if kept else removed(statement)
            yield Problem(statement.where, f"compressed already: {', '.join(wasted)}", (edit,))


@rule("GW702", "gzip-types-html", "note")
def gzip_types_html(config: Block) -> Iterator[Problem]:
    """text/html is always among gzip_types: nginx warns of a duplicate type."""
    for _, statement in config.everywhere("gzip_types", "sub_filter_types", "ssi_types"):
        if "text/html" in statement.args:
            kept = [word for word in statement.args if word != "text/html"]
            edit = replaced(statement, statement.name, *kept) if kept else removed(statement)
            yield Problem(statement.where, "text/html is always there", (edit,))


@rule("GW703", "event-stream-compressed", "warn")
def event_stream_compressed(config: Block) -> Iterator[Problem]:
    """Events that are compressed wait in the compressor until enough of them came."""
    for _, statement in config.everywhere("gzip_types"):
        if "text/event-stream" in statement.args:
            kept = [word for word in statement.args if word != "text/event-stream"]
            edit = replaced(statement, "gzip_types", *kept) if kept else removed(statement)
            yield Problem(statement.where, "events are held back by gzip: take text/event-stream out", (edit,))


@rule("GW704", "error-log-off", "error")
def error_log_off(config: Block) -> Iterator[Problem]:
    """`error_log off` writes to a file named off: there is no such switch."""
    for _, statement in config.everywhere("error_log"):
        if statement.args[0] == "off":
            text = 'this writes to a file named "off"'
            yield Problem(statement.where, text, (replaced(statement, "error_log", "/dev/null", "crit"),))


@rule("GW705", "error-log-debug", "note")
def error_log_debug(config: Block) -> Iterator[Problem]:
    """`error_log … debug` fills disks."""
    for _, statement in config.everywhere("error_log"):
        if statement.args[-1] == "debug":
            words = [*map(quoted, statement.args[:-1]), "warn"]
            yield Problem(
                statement.where,
                "debug is for finding a fault, not for every day",
                (replaced(statement, "error_log", *words),),
            )


@rule("GW706", "workers-are-root", "error")
def workers_are_root(config: Block) -> Iterator[Problem]:
    """`user root` gives a fault in a worker, or a link in a served folder, the whole machine."""
    for statement in config.all("user"):
        if statement.args[0] == "root":
            yield Problem(statement.where, "the workers run as root: user www-data; or another one of their own")


@rule("GW707", "limit-without-burst", "note")
def limit_without_burst(config: Block) -> Iterator[Problem]:
    """`limit_req` without `burst` refuses the second of two requests that come together, as every page with two images
    makes them."""
    for _, statement in config.everywhere("limit_req"):
        if not any(word.startswith("burst=") for word in statement.args):
            yield Problem(statement.where, "two requests at once are one too many: burst=N, mostly with nodelay")


@rule("GW708", "body-files-stay", "warn")
def body_files_stay(config: Block) -> Iterator[Problem]:
    """`client_body_in_file_only on` leaves each request's body on the disk for ever; `clean` removes it."""
    for _, statement in config.everywhere("client_body_in_file_only"):
        if statement.args == ["on"]:
            edit = replaced(statement, "client_body_in_file_only", "clean")
            yield Problem(statement.where, "bodies stay on the disk for ever: clean", (edit,))


@rule("GW709", "no-limit-of-bodies", "note")
def no_limit_of_bodies(config: Block) -> Iterator[Problem]:
    """`client_max_body_size 0` for a whole server lets everybody fill the disk with bodies."""
    for block, statement in config.everywhere("client_max_body_size"):
        if statement.args == ["0"] and block.name in ("server", "http"):
            yield Problem(
                statement.where, "bodies without end fill the disk: a size, or 0 in the one location that needs it"
            )


@rule("GW710", "buffer-larger-than-body", "note")
def buffer_larger_than_body(config: Block) -> Iterator[Problem]:
    """A client_body_buffer_size above client_max_body_size is never filled."""
    from gateway.config import units

    for block, statement in config.everywhere("client_body_buffer_size"):
        try:
            buffer = units.parse_size(statement.args[0])
            limit = units.parse_size(block.value("client_max_body_size", "1m"))
        except ValueError:
            continue
        if limit and buffer > limit:
            size = block.value("client_max_body_size", "1m")
            edit = replaced(statement, "client_body_buffer_size", size)
            yield Problem(statement.where, f"no body is larger than client_max_body_size {size}", (edit,))


@rule("GW711", "keepalive-requests-few", "note")
def keepalive_requests_few(config: Block) -> Iterator[Problem]:
    """`keepalive_requests` below 1000, the default since nginx 1.19.10, ends connections that clients would use again;
    with HTTP/2, those with requests on the way."""
    for block, statement in config.everywhere("keepalive_requests"):
        number = statement.args[0]
        if block.name != "upstream" and number.isdigit() and 1 < int(number) < 1000:
            edit = replaced(statement, "keepalive_requests", "1000")
            yield Problem(statement.where, f"connections end after {number} requests: 1000", (edit,))


@rule("GW712", "version-shown", "note")
def version_shown(config: Block) -> Iterator[Problem]:
    """`server_tokens on` tells everybody which version this is, and so which faults it has."""
    for _, statement in config.everywhere("server_tokens"):
        if statement.args[0] in ("on", "build"):
            edit = replaced(statement, "server_tokens", "off")
            yield Problem(statement.where, "everybody is told the version: off", (edit,))


@rule("GW713", "few-descriptors", "note")
def few_descriptors(config: Block) -> Iterator[Problem]:
    """A connection that is passed on, or that a file is sent to, needs two descriptors: `worker_rlimit_nofile` below
    twice `worker_connections` ends in "too many open files" before the connections are used up."""
    for limit in config.all("worker_rlimit_nofile"):
        given = [statement.args[0] for _, statement in config.everywhere("worker_connections")]
        for connections in given or ["512"]:
            if connections.isdigit() and limit.args[0].isdigit() and int(limit.args[0]) < 2 * int(connections):
                wanted = str(2 * int(connections))
                edit = replaced(limit, "worker_rlimit_nofile", wanted)
                yield Problem(limit.where, f"{connections} connections need up to {wanted} descriptors", (edit,))


@rule("GW714", "variable-case", "note")
def variable_case(config: Block) -> Iterator[Problem]:
    """Names of variables have no case: `set $Backend` and `set $backend` are one variable, and the second one writes
    over the first."""
    given = {words[-1].strip("${}").lower() for words in _assignments(config) if words}
    first: dict[str, str] = {}
    for block in config.walk():
        for statement in block.statements:
            for name in re.findall(r"\$\{?([A-Za-z_]\w*)", " ".join(statement.args)):
                kept = first.setdefault(name.lower(), name)
                if name.lower() in given and kept != name:
                    yield Problem(statement.where, f"${name} is the same variable as ${kept}: one spelling")


def _assignments(config: Block) -> Iterator[list[str]]:
    for _, statement in config.everywhere("set", "auth_request_set"):
        yield statement.args[:1]
    for block in config.walk("map", "geo", "split_clients"):
        yield block.args[-1:]


@rule("GW715", "one-worker", "note")
def one_worker(config: Block) -> Iterator[Problem]:
    """Without `worker_processes` there is one worker, which uses one core of the machine; `auto` makes one for each."""
    events = config.one("events")
    if events is not None and config.all("http") and not config.all("worker_processes"):
        edit = Edit(events.where, "worker_processes auto;\nevents")
        yield Problem(events.where, "one worker uses one core: worker_processes auto;", (edit,))
