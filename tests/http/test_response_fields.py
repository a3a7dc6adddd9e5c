"""Lines of a response that are kept as they are."""

from __future__ import annotations

from gateway.http.response import Response
from gateway.http.response_fields import has_field, set_line


def test_a_line_takes_the_place_of_all_of_its_name() -> None:
    response = Response()
    response.fields = [(b"A", b"1"), (b"X-b", b"2"), (b"C", b"3"), (b"x-B", b"4")]
    assert has_field(response, b"x-b") and has_field(response, b"a") and not has_field(response, b"x-c")
    set_line(response, (b"X-B", b"5"), b"x-b")
    assert response.fields == [(b"A", b"1"), (b"X-b", b"5"), (b"C", b"3")]
    line = (b"New", b"6")
    set_line(response, line, b"new")
    assert response.fields[3] is line
