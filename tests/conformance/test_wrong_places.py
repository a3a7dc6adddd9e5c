"""Directives in wrong places and with wrong numbers of words, and variables that are nginx's own: both say the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gateway.config import known
from tests import structure
from tests.conformance.reference import NGINX
from tests.conformance.test_directive_values import gateway_says, nginx_says

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

# A place for a line, by the name of its context.
PLACES = {
    "main": "{}",
    "events": "events {{ {} }}",
    "http": "http {{ {} }}",
    "server": "http {{ server {{ {} }} }}",
    "location": "http {{ server {{ location / {{ {} }} }} }}",
    "if in server": "http {{ server {{ if ($uri) {{ {} }} }} }}",
    "if in location": "http {{ server {{ location / {{ if ($uri) {{ {} }} }} }} }}",
    "limit_except": "http {{ server {{ location / {{ limit_except GET {{ {} }} }} }} }}",
    "upstream": "http {{ upstream u {{ {} }} }}",
}
CONTEXTS = list(PLACES)

# Of several modules' directives of one name nginx judges the one whose module comes first.
LEFT_OUT = {"include", "http", "events", "server", "mail", "stream", "load_module"}

KNOWN_DIFFERENCES = {
    "gzip_static": "the installed nginx may be built without it",
    "modern_browser": "nginx refuses a single word that is not \"unlisted\" without saying why",
}


def cases() -> list[tuple[str, str, str]]:
    """(directive, context, line): one wrong place for each, another for each next one, and wrong numbers of words."""
    found = []
    for number, (name, entries) in enumerate(sorted(known.table().items())):
        if name in LEFT_OUT or name in KNOWN_DIFFERENCES or not structure.matches(entries[0]):
            continue
        allowed = {context for entry in entries for context in entry.contexts}
        end = " { }" if entries[0].block else ";"
        count = next((count for count in range(8) if entries[0].takes(count)), 1)
        line = " ".join([name, *["on"] * count]) + end
        wrong = [context for context in CONTEXTS if context not in allowed]
        if wrong:
            found.append((name, wrong[number % len(wrong)], line))
        right = [context for context in CONTEXTS if context in allowed]
        if right:
            context = right[number % len(right)]
            for count in (0, 9):
                if not any(entry.takes(count) for entry in entries):
                    found.append((name, context, " ".join([name, *["on"] * count]) + end))
                    break
            # what must have a block has none, and the reverse
            found.append((name, context, line.replace(" { }", ";") if entries[0].block else line.replace(";", " { }")))
    return found


# A sample, always the same: each of the 1,400 takes a run of nginx.
CASES = random.Random(12).sample(cases(), 480)


def test_there_are_many() -> None:
    assert len(CASES) >= 400


@pytest.mark.parametrize("part", range(8))
def test_wrong_places(part: int, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    for name, context, line in CASES[part::8]:
        before = "" if context in ("main", "events") else "events {}\n"
        text = before + PLACES[context].format(line)
        theirs = nginx_says(text, path)
        if theirs.startswith("unknown directive") or not theirs:
            continue  # the installed nginx does not know it, or had no objection yet
        allowed = {context for entry in known.table()[name] for context in entry.contexts}
        if theirs.startswith(f'"{name}" directive is not allowed here') and context in allowed:
            continue  # nor that it may stand there
        assert gateway_says(text, path) == theirs, (name, text)


NAMES = (
    "proxy_host proxy_port proxy_add_x_forwarded_for http_host http_user_agent http_referer http_via http_foo "
    "http_x_forwarded_for http_cookie sent_http_content_type sent_http_foo sent_http_location sent_http_link "
    "sent_http_cache_control sent_http_last_modified sent_http_connection sent_http_keep_alive arg_a cookie_a "
    "sent_http_transfer_encoding sent_http_content_length upstream_http_a upstream_addr uri args is_args host "
    "limit_rate remote_user request_id invalid_referer modern_browser ancient_browser msie uid_reset uid_got "
    "connection gzip_ratio realip_remote_addr slice_range date_local date_gmt time_local request_body document_root "
    "content_type content_length binary_remote_addr server_name status body_bytes_sent upstream_cache_status "
    "fastcgi_script_name fastcgi_path_info limit_conn_status limit_req_status sent_trailer_a proxy_protocol_addr "
    "nginx_version pid hostname https scheme request request_filename msec time_iso8601 pipe bytes_sent "
    "request_completion request_length request_time request_method server_port server_addr server_protocol "
    "remote_addr remote_port query_string document_uri nosuch"
)
VARIABLES = NAMES.split()

DEFINITIONS = {
    "set": "http {{ access_log off; server {{ set ${} a; }} }}",
    "map": "http {{ access_log off; map a ${} {{ default b; }} server {{ }} }}",
    "geo": "http {{ access_log off; geo ${} {{ default b; }} server {{ }} }}",
    "capture": "http {{ access_log off; server {{ location ~ ^/(?<{}>.)$ {{ }} }} }}",
}


@pytest.mark.parametrize("how", DEFINITIONS)
def test_who_may_define_a_variable(how: str, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    for name in VARIABLES:
        text = "events {}\n" + DEFINITIONS[how].format(name)
        assert gateway_says(text, path) == nginx_says(text, path), text
