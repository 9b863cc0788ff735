"""Old runs of a log in partitions go whole, leave their tombstone, and stay gone."""

from __future__ import annotations

from tests.work.test_pruning import (
    test_a_damaged_run_stays_and_is_named,
    test_a_dry_run_tells_what_would_go_and_changes_nothing,
    test_a_pruned_run_counts_as_one_that_can_be_verified_and_rebuilt,
    test_of_a_pruned_run_one_row_stays_that_says_what_went,
    test_rows_do_not_go_without_a_tombstone,
    test_usage_by_every_grouping_is_the_same_when_it_is_kept,
    told,
)
from tests.work.test_pruning_meanwhile import (
    test_an_append_that_began_before_the_run_went_does_not_come_behind_it,
    test_an_import_leaves_pruned_runs_and_takes_in_the_rest,
    test_many_who_record_on_and_prune_at_once_agree,
    test_recovery_has_nothing_to_do_with_pruned_runs,
)

__all__ = [
    "test_a_damaged_run_stays_and_is_named",
    "test_a_dry_run_tells_what_would_go_and_changes_nothing",
    "test_a_pruned_run_counts_as_one_that_can_be_verified_and_rebuilt",
    "test_an_append_that_began_before_the_run_went_does_not_come_behind_it",
    "test_an_import_leaves_pruned_runs_and_takes_in_the_rest",
    "test_many_who_record_on_and_prune_at_once_agree",
    "test_of_a_pruned_run_one_row_stays_that_says_what_went",
    "test_recovery_has_nothing_to_do_with_pruned_runs",
    "test_rows_do_not_go_without_a_tombstone",
    "test_usage_by_every_grouping_is_the_same_when_it_is_kept",
    "told",
]
