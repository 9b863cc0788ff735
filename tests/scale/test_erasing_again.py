"""What is erased of a log in partitions goes as from any other, and the rest stays."""

from __future__ import annotations

from tests.work.test_redaction import (
    test_a_recorder_that_is_at_it_does_not_bring_it_back,
    test_a_text_goes_everywhere_and_the_rest_stays,
    test_a_whole_row_goes_and_the_text_keeps_its_length,
    test_the_digests_stay_and_a_note_says_why,
    told,
)

__all__ = [
    "test_a_recorder_that_is_at_it_does_not_bring_it_back",
    "test_a_text_goes_everywhere_and_the_rest_stays",
    "test_a_whole_row_goes_and_the_text_keeps_its_length",
    "test_the_digests_stay_and_a_note_says_why",
    "told",
]
