"""A log in partitions is verified like any other."""

from __future__ import annotations

from tests.audit.test_verify import (
    test_a_run_that_was_pruned_is_intact,
    test_logs_of_every_shape_are_intact,
    test_runs_can_be_verified_alone,
    test_verifying_sees_one_moment_while_others_record,
    test_what_postgres_cannot_read_takes_nothing_with_it,
    test_what_was_erased_and_then_changed_is_named,
)

__all__ = [
    "test_a_run_that_was_pruned_is_intact",
    "test_logs_of_every_shape_are_intact",
    "test_runs_can_be_verified_alone",
    "test_verifying_sees_one_moment_while_others_record",
    "test_what_postgres_cannot_read_takes_nothing_with_it",
    "test_what_was_erased_and_then_changed_is_named",
]
