"""Deliberate mistakes, as small as they happen, and for each the tests that have to notice it."""

from dataclasses import dataclass

_AT_ONCE = "tests/concurrency/test_segments_interleavings.py::"
_TIME = "tests/concurrency/test_segments_ticks.py::"
_TURNS = "tests/concurrency/test_segments_turns.py::"


@dataclass(frozen=True)
class Change:
    """In `file`, below `src/rapport`, what stands there (once) is replaced."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mistake:
    """A sentence that says what is wrong, how it comes about, and the tests that all have to fail of it."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


def _mistake(name: str, file: str, old: str, new: str, *tests: str) -> Mistake:
    return Mistake(name, (Change(file, old, new),), tests)


MISTAKES = (
    _mistake(
        "a customer is read before the lock",
        "customers/queries.py",
        "WHERE project_id = $1 AND source_id = $2 FOR NO KEY UPDATE\n), inserted",
        "WHERE project_id = $1 AND source_id = $2\n), inserted",
        _AT_ONCE + "test_who_waited_for_a_customer_decides_on_what_the_other_wrote",
    ),
    _mistake(
        "the clock is read before the lock",
        "customers/writes.py",
        """\
        for index in order:
            ids[index] = (await self._lock_input(inputs[index])).id
        await self.open()
""",
        """\
        await self.open()
        for index in order:
            ids[index] = (await self._lock_input(inputs[index])).id
""",
        _AT_ONCE + "test_the_time_of_a_writer_is_that_after_its_lock",
    ),
    _mistake(
        "a tick does not come back for who was writing",
        "segments/ticks/progress.py",
        "if running < before:",
        "if running < 0:",
        _TIME + "test_a_date_written_while_the_tick_goes_by_is_found_by_a_later_one",
    ),
    _mistake(
        "a tick passes over the dates that lie on the bound",
        "segments/ticks/queries.py",
        "{at} >= {{least}}",
        "{at} > {{least}}",
        _TIME + "test_a_span_of_time_ends_at_its_very_millisecond[metadata.ends-$more_than_ago]",
        _TIME + "test_a_window_loses_and_gains_at_its_very_millisecond[events.seen]",
    ),
    _mistake(
        "a worker that takes over begins with its own first tick",
        "segments/ticks/tasks.py",
        "Progress(tick.ticked_to, tick.ticked_to)",
        "Progress(tick.now, tick.now)",
        _TIME + "test_a_worker_that_takes_over_catches_up_also_on_what_came_and_went",
    ),
    _mistake(
        "the rest of a flood is forgotten",
        "segments/ticks/tasks.py",
        "if count == most",
        "if count > most",
        _TIME + "test_a_flood_of_crossings_at_one_moment_is_dealt_with_to_the_last[False]",
    ),
    _mistake(
        "a date that is replaced is judged by the present only",
        "segments/matcher.py",
        "index.crossed(before, at, ahead=ahead) if timed else ():",
        "():",
        _TIME + "test_a_short_span_that_is_replaced_when_it_is_over_and_before_its_tick",
    ),
    _mistake(
        "a day begins at midnight in Greenwich",
        "segments/matcher.py",
        "if not is_column or start(one, clock.zone) > clock.now",
        "if not is_column or stored_moment(one).at > clock.now",
        _TIME + "test_days_turn_at_midnight_of_the_project_however_long_they_are[America/New_York-start0]",
    ),
    _mistake(
        "the back-fill does not wait for writers who do not know of the segment",
        "segments/building/tasks.py",
        "ready = [one for one in building if one.settled_after is not None and one.settled_after <= running]",
        "ready = [one for one in building if one.settled_after is not None]",
        _AT_ONCE + "test_the_back_fill_waits_for_writers_who_do_not_know_of_the_segment",
    ),
    _mistake(
        "the back-fill overrules a writer who has decided",
        "segments/building/queries.py",
        """\
    ORDER BY wanted.place
    ON CONFLICT DO NOTHING
""",
        """\
    ORDER BY wanted.place
    ON CONFLICT (project_id, segment_id, customer_id) DO UPDATE SET entered_at = excluded.entered_at
""",
        _AT_ONCE + "test_whatever_happens_between_the_reading_and_the_writing_of_a_back_fill[moved]",
        _AT_ONCE + "test_the_back_fill_leaves_alone_what_a_writer_has_decided[passive]",
    ),
    _mistake(
        "a writer leaves no word that somebody is out",
        "segments/membership.py",
        "for segment_id, customer_id in await queries.claim(conn, project_id, pairs):",
        "for segment_id, customer_id in pairs[:0]:",
        _AT_ONCE + "test_whatever_happens_between_the_reading_and_the_writing_of_a_back_fill[moved]",
        _AT_ONCE + "test_the_back_fill_leaves_alone_what_a_writer_has_decided[passive]",
    ),
    _mistake(
        "a writer leaves no dates behind for a segment that is being filled",
        "segments/membership.py",
        "for tests in matcher.watched_while_filling:",
        "for tests in matcher.watched_while_filling[:0]:",
        _TIME + "test_a_date_that_comes_between_a_writer_and_the_back_fill[metadata]",
    ),
    _mistake(
        "negated conditions are not indexed",
        "segments/matcher.py",
        """\
        else:
            return True
        return False""",
        """\
        elif not leaf.operator.negated:
            return True
        return False""",
        _TURNS + "test_a_negated_condition_turns_like_any_other",
    ),
    _mistake(
        "a sorted threshold is off by one",
        "segments/indexes.py",
        "Index.OVER: (lambda values, _clock: values, max, min, bisect_left, True)",
        "Index.OVER: (lambda values, _clock: values, max, min, bisect_right, True)",
        _TURNS + "test_a_number_turns_exactly_at_its_threshold[$more_than]",
    ),
    _mistake(
        "the number of events is off by one",
        "segments/window_index.py",
        "count + 1 if index is Index.OVER else count, ages",
        "count, ages",
        _TURNS + "test_the_number_of_events_turns_exactly_at_its_threshold[$count_more]",
    ),
    _mistake(
        "a new customer is compared with nothing but the conditions that turn",
        "segments/membership.py",
        "found |= matcher.baseline",
        "pass",
        _TURNS + "test_a_new_customer_is_in_the_segments_of_those_who_have_nothing",
    ),
    _mistake(
        "those who follow a segment are not decided about",
        "segments/membership.py",
        "heappush(agenda, naming)",
        "pass",
        _TURNS + "test_who_follows_a_segment_turns_with_it",
    ),
    _mistake(
        "a process goes by the definitions it has",
        "segments/definitions.py",
        "if self._version < version:",
        "if self._version < 0:",
        _TURNS + "test_every_process_hears_of_a_segment_before_its_next_write",
    ),
    Mistake(
        "an edit has everybody enter again",
        (
            Change(
                "segments/membership.py", "if is_in and one.recorded and not row.logged:", "if is_in and one.recorded:"
            ),
            Change("segments/building/queries.py", "OR ($6 AND NOT one.logged)", "OR $6"),
        ),
        (_TURNS + "test_an_edit_moves_only_those_for_whom_it_makes_a_difference",),
    ),
    _mistake(
        "who leaves has never been there",
        "segments/stored/queries.py",
        "    RETURNING member.segment_id, member.customer_id, member.entered_at\n",
        "    RETURNING member.segment_id, member.customer_id, NULL::timestamptz AS entered_at\n",
        _TURNS + "test_a_membership_that_has_ended_stays_in_the_past",
    ),
    _mistake(
        "who leaves while a segment is filled does so before having entered",
        "segments/stored/queries.py",
        """\
    SELECT $1, segment_id, customer_id, entered_at, greatest(entered_at, $2::timestamptz)
    FROM segment_members JOIN pair""",
        """\
    SELECT $1, segment_id, customer_id, entered_at, $2::timestamptz
    FROM segment_members JOIN pair""",
        _AT_ONCE + "test_nobody_leaves_before_having_entered",
    ),
    _mistake(
        "a deleted segment keeps its members",
        "segments/building/queries.py",
        'for table in ("segment_members", "segment_past"))',
        'for table in ("segment_past",))',
        _TURNS + "test_a_deleted_segment_leaves_no_rows",
    ),
    _mistake(
        "a deleted customer stays in segments",
        "segments/stored/queries.py",
        "WHERE project_id = $1 AND customer_id = ANY ($2) AND segment_id <> ALL ($4::text[])",
        "WHERE project_id = $1 AND customer_id = ANY ($2) AND segment_id = ANY ($4::text[])",
        _TURNS + "test_a_deleted_customer_leaves_every_segment",
    ),
    _mistake(
        "a decision that somebody is out counts as membership",
        "segments/sql.py",
        'f"AND m.entered_at IS NOT NULL AND {self._filler',
        'f"AND {self._filler',
        _AT_ONCE + "test_a_decision_that_somebody_is_out_is_no_membership_for_who_follows",
    ),
)
