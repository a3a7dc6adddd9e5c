"""A short, lasting name for each kind of mistake in a configuration, as compilers have them.

nginx's messages are what they are; a code is what one looks up, searches for, or counts. It stands below nginx's line
at a terminal and in `gateway check --json`, never in an error log. Codes are not given twice, and not changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mistake; `patterns` say which messages are of it."""

    code: str
    name: str
    what: str
    remedy: str
    patterns: tuple[str, ...] = ()


_Q: Final = '"[^"]*"'

# The first that has a pattern in the message counts: narrow ones stand before wide ones.
KINDS: Final = (
    Kind(
        "GW001",
        "unknown-directive",
        "No module has a directive of this name.",
        "The word is misspelt, belongs to somebody else's module, or the line before lacks its semicolon.",
        (r"^unknown directive ",),
    ),
    Kind(
        "GW002",
        "misplaced-directive",
        "The directive exists, but not in this block.",
        "`gateway help DIRECTIVE` says where it may stand. A file with `server { … }` alone is meant to "
        "be included in `http`.",
        (
            rf"^{_Q} directive is not allowed here$",
            rf"^{_Q} directive is not allowed in ",
            r"block directives are not supported in -g",
        ),
    ),
    Kind(
        "GW003",
        "number-of-arguments",
        "The directive has more or fewer words than it takes.",
        "Words with spaces need quotes; a missing semicolon makes the next line's words part of this directive.",
        (r"^invalid number of arguments", r"^invalid number of the \w+ parameters", r"^invalid parameters number"),
    ),
    Kind(
        "GW004",
        "semicolon",
        "A directive is not ended, or a semicolon stands where none may.",
        "Each simple directive ends with `;`. It is most often missing on the line before the one that is named.",
        (
            r"is not terminated by ",
            r"^unexpected end of file, expecting \";\"",
            r"^unexpected end of parameter",
            r"has no opening \"\{\"",
            r"^unexpected \"[{;]\"$",
        ),
    ),
    Kind(
        "GW005",
        "unbalanced-braces",
        "There is a brace too few or too many, or the directive before a brace lacks its semicolon.",
        "The report names the block that is still open, and `gateway fmt` leaves such a file as it is.",
        (r"^unexpected end of file, expecting \"\}\"", r"^unexpected \"\}\"$", r"^unexpected \"[^\"]*\"$"),
    ),
    Kind(
        "GW006",
        "duplicate",
        "Something is said twice that may be said once.",
        "Remove one of the two; in included files, the other one may stand in the file that includes them.",
        (
            r"directive is duplicate",
            r"^duplicate (?!location|listen)",
            r"is duplicate$",
            r"is already (?:there|defined|bound|declared|used)",
            r"is there already",
            r"already defined with conflicting",
            r"^the duplicate ",
            r"is used twice",
            r"includes itself",
        ),
    ),
    Kind(
        "GW007",
        "unknown-variable",
        "No module and no `set`, `map`, `geo` or capture makes a variable of this name.",
        "It is misspelt, a block that makes it is missing, or the shell that wrote the file has put `$` "
        "in front of its own word.",
        (
            r"^unknown \"[^\"]*\" variable",
            r"invalid variable name",
            r"closing bracket in .* variable is missing",
            r"missing variable in",
        ),
    ),
    Kind(
        "GW008",
        "file-not-there",
        "A file that the configuration names is not there.",
        "Relative names are looked for beside nginx.conf (certificates, includes) or below the prefix (logs, roots).",
        (r"\(2: No such file", r"\(20: Not a directory", r"\(21: Is a directory", r"No such file or directory"),
    ),
    Kind(
        "GW009",
        "file-not-permitted",
        "A file is there, and whoever tests or starts the server may not read or write it.",
        "Test as the user that starts it (`sudo gateway -t`); each folder on the way needs the right to pass.",
        (r"\(13: Permission denied", r"Permission denied"),
    ),
    Kind(
        "GW010",
        "certificate",
        "A certificate or a key is missing, cannot be read, or does not belong to the other.",
        "`ssl_certificate` has the whole chain in PEM, the server's own first, `ssl_certificate_key` its key.",
        (
            r"cannot load certificate",
            r"key values mismatch",
            r"no \"?ssl_\w+",
            r"no \w*ssl_trusted_certificate",
            r"^no certificates",
            r"cannot load account key",
            r"SSL_\w+\(",
            r"PEM_\w+\(",
        ),
    ),
    Kind(
        "GW011",
        "name-not-found",
        "A name of a host has no address while the configuration is read.",
        "Is it misspelt, or does DNS not answer yet? `server NAME resolve;` with a `resolver` and a "
        "`zone` lets it start without.",
        (r"^host not found in ", r"no resolver defined", r"has no addresses"),
    ),
    Kind(
        "GW012",
        "upstream-address",
        "What requests are to be passed to is not an address, or has too much in it.",
        "`http://HOST:PORT`, `unix:/path`, or the name of an `upstream` block; in `upstream` no scheme and no path.",
        (
            r"in upstream ",
            r"invalid URL prefix",
            r"^no servers? ",
            r"^upstream ",
            r"^service (?:is|upstream)",
            r"may not have port",
            r"^the \"?proxy_pass",
            r"cannot have URI part",
            r"invalid host in",
            r"unix domain socket",
            r"in resolver ",
            r"in auth_http ",
            r"no name servers",
            r"there must be at least \d+ \"server",
        ),
    ),
    Kind(
        "GW013",
        "listen",
        "An address of `listen` is wrong, or two servers want it in different ways.",
        "Options such as `ssl`, `backlog` or `default_server` are said once for each address and port.",
        (
            r"of the \"listen\" directive",
            r"duplicate listen",
            r"duplicate default server",
            r"listening sockets",
            r"so_keepalive",
            r"^invalid (?:backlog|rcvbuf|sndbuf|fastopen|ipv6only)",
            r"no \"listen\" is defined",
            r"address and port pair",
            r"incompatible with \"(?:quic|udp|ssl)\"",
        ),
    ),
    Kind(
        "GW014",
        "locations",
        "Locations stand twice, or within one that cannot hold them.",
        "A location within another begins with the outer one's prefix; `@named` and `=` have none inside.",
        (
            r"duplicate location",
            r"location .* is outside location",
            r"cannot be inside the (?:named|exact) location",
            r"named location",
            r"invalid location modifier",
        ),
    ),
    Kind(
        "GW015",
        "regular-expression",
        "A regular expression cannot be compiled.",
        "Quote what has braces, spaces or semicolons in it. `gateway check` has rules for those that "
        "compile and surprise.",
        (r"pcre2?_\w+\(\)", r"regex", r"must have \d+ captures"),
    ),
    Kind(
        "GW016",
        "name-of-another-part",
        "It names a zone, a format, a cache, a match or an issuer that no block defines.",
        "Define it in `http` (or `stream`), or write the name as it is defined; the order of the two "
        "does not matter for zones.",
        (
            r"zone \"[^\"]*\" is unknown",
            r"zero size shared memory zone",
            r"^unknown (?:log format|match|protocol|mail protocol|browser)",
            r"acme issuer \"[^\"]*\" is missing",
            r"no \"?charset_map",
            r"no py_import has the name",
            r"is not defined",
            r"no \"[^\"]*\" is defined for",
        ),
    ),
    Kind(
        "GW017",
        "shared-memory",
        "A zone of shared memory is too small, has no size, or is missing.",
        "`zone=NAME:SIZE`, at least 32k; `gateway help` of the directive has an example.",
        (
            r"zone .*is too small",
            r"cache \"[^\"]*\" is too small",
            r"invalid (?:keys )?zone size",
            r"invalid zone name",
            r"zone (?:name|size) is not",
            r"must have \"(?:keys_)?zone\"",
            r"to be in shared memory",
            r"requires \"zone\" in the upstream",
            r"^duplicate zone",
        ),
    ),
    Kind(
        "GW018",
        "incompatible",
        "Two directives or parameters exclude each other.",
        "Leave out one of them; where the other comes from an outer block, `off` switches it off here.",
        (
            r"incompatible",
            r"cannot (?:both )?be (?:used|mixed|buffered|\"?off)",
            r"conflicting parameter",
            r"has no use with",
            r"cannot have variables",
            r"is specified too late",
            r"should be placed after",
            r"must be the first directive",
            r"does not support parameter",
            r"requires \"",
            r"needs ",
            r"buffered",
        ),
    ),
    Kind(
        "GW019",
        "section-missing",
        "A part that each configuration has is missing.",
        "The main file has `events { }` and `http { … }` (or `stream`, `mail`).",
        (r"^no \"[^\"]*\" section in configuration",),
    ),
    Kind(
        "GW020",
        "account",
        "The user or the group is not known to this machine.",
        "Debian's is www-data, others have nginx or nobody; `user NAME;` names one that `id NAME` knows.",
        (r"getpwnam\(", r"getgrnam\("),
    ),
    Kind(
        "GW021",
        "not-done-here",
        "gateway does not do this, or a package that it takes is missing.",
        "`gateway compat` lists what a configuration uses and what to write instead.",
        (
            r"not supported yet",
            r"is not supported",
            r"are not supported",
            r"unsupported",
            r"pip install",
            r"has had its day",
        ),
    ),
    Kind(
        "GW022",
        "python",
        "A Python module or function that `py_import` and its like name cannot be had.",
        "The exception and its line stand in the message; the module's folder is the one of nginx.conf or the venv's.",
        (r"^py_\w+", r"py_import", r"module\.function", r"takes a plain function"),
    ),
    Kind(
        "GW023",
        "buffer-sizes",
        "Sizes of buffers do not fit each other.",
        "`*_buffer_size` and `*_buffers` belong together: set both, or neither.",
        (
            r"must be less than the size of all",
            r"greater than the maximum of the value of",
            r"pool size",
            r"chunk size",
            r"must be equal to or greater than \"",
            r"preread buffer",
        ),
    ),
    Kind(
        "GW024",
        "unknown-parameter",
        "The directive exists and has no such parameter.",
        "`gateway help DIRECTIVE` shows all of them. A parameter with a value has `=` and no spaces around it.",
        (
            r"^invalid parameter",
            r"^unknown (?:parameter|syslog|\"[^\"]*\" parameter)",
            r"invalid \"[^\"]*\" parameter",
            r"unknown option",
        ),
    ),
    Kind(
        "GW025",
        "invalid-value",
        "A word is not a value that the directive takes: a number, a size (`10m`), a time (`30s`), `on` or `off`.",
        "`gateway help DIRECTIVE` says what it takes.",
        (
            r"invalid",
            r"value",
            r"must be",
            r"must have",
            r"^zero ",
            r"zero key size",
            r"should (?:look|be)",
            r"percent total",
            r"too long",
            r"empty",
            r"unknown",
            r"unexpected",
            r"is longer than",
            r"is not specified",
            r"^no (?:\w+ ){1,2}(?:in|specified|is)",
            r"has no port",
            r"no (?:value|identifiers)",
            r"limit must be",
            r"without any valid",
            r"exceeds",
            r"greater than",
            r"overlaps",
            r"at least",
            r"supports up to",
            r"only allows",
            r"is no ",
        ),
    ),
    Kind("GW099", "other", "A mistake of another kind.", "nginx's words in front say what it is.", (r"",)),
)

_ORDER: Final = tuple((kind, re.compile("|".join(kind.patterns))) for kind in KINDS)


def kind_of(message: str) -> Kind:
    """The kind of a mistake by nginx's words for it, without place and level."""
    return next(kind for kind, pattern in _ORDER if pattern.search(message))


def about(code: str) -> str:
    """What `gateway help CODE` says; nothing where there is none of this name."""
    for kind in KINDS:
        if code.upper() == kind.code or code.lower() == kind.name:
            words = f"{kind.code} {kind.name}\n\n{kind.what}\n{kind.remedy}"
            return f"{words}\n\nExamples: {page(kind.code, kind.name)} of the documentation"
    return ""


def page(code: str, name: str) -> str:
    """Where the documentation has its examples."""
    return f"mistakes.md#{code.lower()}-{name}"
