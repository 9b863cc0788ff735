"""A log in partitions is rebuilt like any other."""

from __future__ import annotations

from tests.work.test_rebuild import (
    own,
    reel,
    shared,
    test_a_damaged_run_is_left_as_it_is_and_the_others_are_mended,
    test_a_deleted_row_is_named_and_mended,
    test_a_run_that_is_recorded_meanwhile_keeps_its_newer_row,
    test_everything_at_once_is_rebuilt_from_nothing,
    test_one_run_may_be_checked_and_rebuilt_alone,
    test_readers_see_all_runs_all_the_while,
    test_runs_are_gone_through_page_by_page,
    truth,
)

__all__ = [
    "own",
    "reel",
    "shared",
    "test_a_damaged_run_is_left_as_it_is_and_the_others_are_mended",
    "test_a_deleted_row_is_named_and_mended",
    "test_a_run_that_is_recorded_meanwhile_keeps_its_newer_row",
    "test_everything_at_once_is_rebuilt_from_nothing",
    "test_one_run_may_be_checked_and_rebuilt_alone",
    "test_readers_see_all_runs_all_the_while",
    "test_runs_are_gone_through_page_by_page",
    "truth",
]
