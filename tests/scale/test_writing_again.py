"""What is written to a log in partitions is there, once, in order, whoever writes beside it."""

from __future__ import annotations

from tests.store.test_event_log import (
    database,
    test_a_row_with_no_run_before_it_is_refused,
    test_every_column_comes_back_as_it_went_in,
    test_reading_goes_on_through_chunks_and_stops_where_told,
    test_rows_go_in_behind_each_other_only,
    test_runs_are_found_by_the_letters_they_begin_with,
    test_several_rows_are_stored_together_or_not_at_all,
    test_the_database_itself_refuses_what_is_no_event,
    test_the_loser_of_a_race_is_told_and_the_first_row_stays,
    test_threads_that_race_for_each_row_store_it_once,
    test_two_appenders_in_any_order_leave_a_gapless_run,
)
from tests.work.test_commit import (
    test_a_bad_unit_fails_alone_in_a_group,
    test_a_commit_that_fails_or_seems_to_loses_and_doubles_nothing,
    test_what_many_record_at_once_is_all_there_in_order,
    transactions,
)
from tests.work.test_import import (
    test_a_run_that_is_recorded_here_is_added_to_by_an_import,
    test_an_import_of_more_runs_than_it_holds_open_is_complete,
    test_runs_told_line_by_line_in_turn_are_kept_apart,
)
from tests.work.test_recording import (
    test_eight_threads_record_runs_of_their_own_on_one_reel,
    test_offers_of_what_the_log_has_are_known,
    test_threads_that_offer_the_same_events_store_each_once,
    test_threads_that_record_the_same_run_lose_nothing,
    test_two_recordings_of_one_run_interleave_and_lose_nothing,
)
from tests.work.test_rollups import (
    test_recorders_of_many_connections_lose_nothing_and_wait_for_no_other,
)

__all__ = [
    "database",
    "test_a_bad_unit_fails_alone_in_a_group",
    "test_a_commit_that_fails_or_seems_to_loses_and_doubles_nothing",
    "test_a_row_with_no_run_before_it_is_refused",
    "test_a_run_that_is_recorded_here_is_added_to_by_an_import",
    "test_an_import_of_more_runs_than_it_holds_open_is_complete",
    "test_eight_threads_record_runs_of_their_own_on_one_reel",
    "test_every_column_comes_back_as_it_went_in",
    "test_offers_of_what_the_log_has_are_known",
    "test_reading_goes_on_through_chunks_and_stops_where_told",
    "test_recorders_of_many_connections_lose_nothing_and_wait_for_no_other",
    "test_rows_go_in_behind_each_other_only",
    "test_runs_are_found_by_the_letters_they_begin_with",
    "test_runs_told_line_by_line_in_turn_are_kept_apart",
    "test_several_rows_are_stored_together_or_not_at_all",
    "test_the_database_itself_refuses_what_is_no_event",
    "test_the_loser_of_a_race_is_told_and_the_first_row_stays",
    "test_threads_that_offer_the_same_events_store_each_once",
    "test_threads_that_race_for_each_row_store_it_once",
    "test_threads_that_record_the_same_run_lose_nothing",
    "test_two_appenders_in_any_order_leave_a_gapless_run",
    "test_two_recordings_of_one_run_interleave_and_lose_nothing",
    "test_what_many_record_at_once_is_all_there_in_order",
    "transactions",
]
