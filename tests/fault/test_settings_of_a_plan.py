"""`--set`: what one setting said is not lost to another without a word."""

from __future__ import annotations

import pytest

from precision.errors import PlanError
from precision.plan import with_settings


@pytest.mark.parametrize("settings", [["program=part.ngc", "program.origin=first sample"], ["program.origin=first sample", "program=part.ngc"]])
def test_a_program_named_in_short_beside_other_keys_of_it_is_refused_with_the_long_form(settings: list[str]) -> None:
    with pytest.raises(PlanError, match=r"program\.file=") as caught:
        with_settings({"program": {"piece": "circle"}}, settings)
    assert "program.origin" in str(caught.value)


def test_the_short_form_alone_replaces_the_piece() -> None:
    assert with_settings({"program": {"piece": "circle"}}, ["program=part.ngc"]) == {"program": "part.ngc"}


def test_a_section_under_a_value_of_another_key_is_refused_with_that_value() -> None:
    with pytest.raises(PlanError, match=r"title is a value, 'Test', not a section") as caught:
        with_settings({"title": "Test"}, ["title.x=1"])
    assert "program.file" not in str(caught.value)
