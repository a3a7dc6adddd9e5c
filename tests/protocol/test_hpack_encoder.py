"""What is encoded, the hpack package decodes to the same, on any connection and in any order."""

from __future__ import annotations

import hpack
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.hpack_encoder import encode

NAMES = st.sampled_from([b":status", b"server", b"content-length", b"vary", b"x-other"]) | st.binary(
    min_size=1, max_size=9
)
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"200", b"Accept-Encoding"]) | st.binary(max_size=300)))


@given(st.lists(FIELDS, max_size=4))
def test_decoding_is_the_inverse(heads: list[list[tuple[bytes, bytes]]]) -> None:
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    for fields in heads:
        assert [tuple(field) for field in decoder.decode(encode(fields), raw=True)] == fields


def test_the_shorter_form_is_taken() -> None:
    assert encode([(b":status", b"200")]) == b"\x88"
    assert b"{{{{{" in encode([(b"x", b"{{{{{")])
    assert len(encode([(b"content-type", b"application/octet-stream")])) < len(b"application/octet-stream")
