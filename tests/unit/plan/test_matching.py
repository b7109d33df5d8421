"""Names of files against a reference of regular expressions; `invoke dev.fuzz` tries many more of them."""

from __future__ import annotations

from hypothesis import given, settings

from tests.support.matching import Case, cases, check


@given(case=cases())
@settings(deadline=None, max_examples=150)
def test_names_give_what_a_regular_expression_gives(case: Case) -> None:
    check(case)
