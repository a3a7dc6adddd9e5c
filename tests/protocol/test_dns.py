"""Messages made and read here against those of dnspython."""

from __future__ import annotations

import socket
import struct

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.dns import AAAA, SRV, A, Answer, DnsError, Service, parse, query

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
KINDS = {"A": A, "AAAA": AAAA, "SRV": SRV}
ADDRESSES = {"A": st.ip_addresses(v=4).map(str), "AAAA": st.ip_addresses(v=6).map(str)}


def answer(name: str, kind: str, *records: tuple[str, int, str, list[str]], code: str = "NOERROR") -> bytes:
    """The answer to a question, with records of (name, ttl, type, texts)."""
    reply = dns.message.make_response(dns.message.make_query(name, kind, id=7), recursion_available=True)
    reply.set_rcode(dns.rcode.from_text(code))
    for owner, ttl, type_, texts in records:
        reply.answer.append(dns.rrset.from_text_list(dns.name.from_text(owner), ttl, "IN", type_, texts))
    return reply.to_wire()


@given(NAME, st.sampled_from(sorted(KINDS)), st.integers(0, 65535))
def test_a_question_is_what_dnspython_reads(name: str, kind: str, ident: int) -> None:
    read = dns.message.from_wire(query(ident, name.encode(), KINDS[kind]))
    (question,) = read.question
    assert read.id == ident
    assert question.name == dns.name.from_text(name)
    assert dns.rdatatype.to_text(question.rdtype) == kind
    assert dns.message.make_query(name, kind, id=ident).to_wire() == query(ident, name.encode(), KINDS[kind])


@pytest.mark.parametrize("name", [b"", b".", b"a..b", b".a", b"a" * 64 + b".b"])
def test_what_cannot_be_a_name(name: bytes) -> None:
    with pytest.raises(ValueError, match="invalid name"):
        query(1, name, A)


@given(NAME, st.data(), st.sampled_from(["A", "AAAA"]), st.integers(0, 2**31 - 1))
def test_addresses(name: str, data: st.DataObject, kind: str, ttl: int) -> None:
    texts = data.draw(st.lists(ADDRESSES[kind], min_size=1, max_size=20, unique=True))
    found = parse(answer(name, kind, (name, ttl, kind, texts)))
    family = socket.AF_INET if kind == "A" else socket.AF_INET6
    assert sorted(found.addresses) == sorted(socket.inet_pton(family, text) for text in texts)
    assert (found.ident, found.name, found.type, found.ttl) == (7, name.encode(), KINDS[kind], ttl)
    assert found.cname is None and not found.unexpected and not found.truncated


def test_a_chain_of_names_in_one_answer() -> None:
    wire = answer(
        "www.example.org",
        "A",
        ("www.example.org", 30, "CNAME", ["Alias.Example.org."]),
        ("alias.example.org", 60, "A", ["127.0.0.1"]),
    )
    found = parse(wire)
    assert found.cname == b"alias.example.org"
    assert found.addresses == [b"\x7f\0\0\1"]
    assert found.ttl == 30


def test_services() -> None:
    texts = ["1 5 8080 a.example.org.", "2 0 8081 b.example.org."]
    found = parse(answer("_http._tcp.example.org", "SRV", ("_http._tcp.example.org", 9, "SRV", texts)))
    assert sorted(found.services, key=lambda one: one.priority) == [
        Service(1, 5, 8080, b"a.example.org"),
        Service(2, 1, 8081, b"b.example.org"),
    ]


def test_other_records_are_named() -> None:
    found = parse(
        answer("a.org", "A", ("a.org", 9, "TXT", ["x"]), ("a.org", 9, "DNAME", ["b."]), ("a.org", 9, "A", ["1.2.3.4"]))
    )
    assert found.unexpected == [16]
    assert found.addresses == [b"\1\2\3\4"]


def test_failures() -> None:
    assert parse(answer("a.org", "A", code="NXDOMAIN")).code == 3
    refused = parse(answer("a.org", "A", code="REFUSED"))
    assert (refused.code, refused.name) == (5, b"a.org")
    assert parse(answer("a.org", "A", code="FORMERR")) == Answer(7, 1)
    assert parse(answer("a.org", "A", code="YXDOMAIN")) == Answer(7, 6)


GOOD = answer("a.org", "A", ("a.org", 9, "A", ["1.2.3.4"]))
HEAD = 12 + 7 + 4  # up to the end of the question


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"\0" * 11, "short DNS response"),
        (GOOD[:-5], "short DNS response"),
        (GOOD[:2] + b"\x01\x00" + GOOD[4:], "invalid UDP DNS response 7 fl:0100"),
        (GOOD[:4] + b"\0\2" + GOOD[6:], "invalid number of questions in DNS response"),
        (GOOD[:12] + b"\xc0\x0c" + GOOD[14:], "unexpected compression pointer in DNS response"),
        (GOOD[:12] + b"\0" + GOOD[13:], "zero-length domain name in DNS response"),
        (GOOD[: HEAD - 1] + b"\3" + GOOD[HEAD:], "unknown query class 3 in DNS response"),
        (GOOD[: HEAD - 4] + b"\0\x0f" + GOOD[HEAD - 2 :], "unknown query type 15 in DNS response"),
        (GOOD[: HEAD + 4] + b"\0\3" + GOOD[HEAD + 6 :], "unexpected RR class 3 in DNS response"),
        (GOOD[: HEAD + 2] + b"\0\x1c" + GOOD[HEAD + 4 :], "unexpected AAAA record in DNS response"),
        (GOOD[: HEAD + 10] + b"\0\3" + GOOD[HEAD + 12 :], "invalid A record in DNS response"),
        (GOOD[:HEAD] + b"\0" + GOOD[HEAD + 1 :], "invalid name in DNS response"),
        (GOOD[: HEAD + 2] + b"\0\5" + GOOD[HEAD + 4 : HEAD + 12] + b"\xc0\xff\0\0", "name is out of DNS response"),
        (GOOD[: HEAD + 2] + b"\0\5" + GOOD[HEAD + 4 : HEAD + 12] + b"\x80\0\0\0", "invalid label type in DNS response"),
        (
            GOOD[: HEAD + 2] + b"\0\5" + GOOD[HEAD + 4 : HEAD + 12] + bytes((0xC0, HEAD + 12, 0, 0)),
            "compression pointers loop in DNS response",
        ),
    ],
)
def test_what_is_wrong_in_the_words_of_nginx(wire: bytes, words: str) -> None:
    with pytest.raises(DnsError, match=f"^{words}$"):
        parse(wire)


def test_truncated() -> None:
    wire = GOOD[:2] + b"\x83" + GOOD[3:]
    assert parse(wire).truncated
    with pytest.raises(DnsError, match="invalid TCP DNS response 7 fl:8380"):
        parse(wire, tcp=True)


@given(st.binary(max_size=80), st.integers(0, 60), st.booleans())
def test_no_input_raises_anything_else(noise: bytes, at: int, tcp: bool) -> None:
    for wire in (noise, GOOD[:at] + noise, GOOD[:at] + noise + GOOD[at + len(noise) :]):
        try:
            parse(wire, tcp=tcp)
        except DnsError:
            pass
        except struct.error as error:
            raise AssertionError from error
