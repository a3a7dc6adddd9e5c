"""suite_results: what counts, and what the page says."""

from __future__ import annotations

from tests.conformance.suite_results import report, tallies

RUN = {
    "access.t": {"area": "limits", "passed": ["1 first", "3 third"], "failed": ["2 second"], "skipped": None},
    "geo.t": {"area": "limits", "passed": ["1", "2"], "failed": [], "skipped": None},
    "perl.t": {"area": "limits", "passed": ["1"], "failed": [], "skipped": None},
    "h2.t": {"area": "http2", "passed": [], "failed": ["0 nothing ran"], "skipped": None},
}
BASELINE = {"access.t": {"passed": [1, 2]}, "geo.t": {"passed": [1, 2]}, "h2.t": {"passed": [1, 2, 3]}, "x.t": {}}


def test_only_what_nginx_passes_counts() -> None:
    found = tallies(RUN, BASELINE)
    assert list(found) == ["http2", "limits"]
    limits = found["limits"]
    assert (limits.files, limits.whole, limits.tests, limits.passed) == (2, 1, 4, 3)
    assert limits.partly == ["access 1/2"]
    assert found["http2"].not_at_all == ["h2 3"]


def test_the_page_names_what_is_missing() -> None:
    page = report(tallies(RUN, BASELINE), "abc1234")
    assert "| limits | 1 of 2 | 3 of 4 | 75.0 % |" in page
    assert "| **all** | 1 of 3 | 3 of 7 | 42.9 % |" in page
    assert "Passed in part: access 1/2." in page
    assert "Not passed (tests): h2 3." in page
