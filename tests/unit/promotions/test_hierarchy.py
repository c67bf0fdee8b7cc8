from hypothesis import given
from hypothesis import strategies as st

from rapport.promotions import hierarchy

RANKS = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 12), max_size=8).map(
    lambda found: {name: rank for rank, name in {rank: name for name, rank in found.items()}.items()}
)


def order(ranks: dict[str, int]) -> list[str]:
    return sorted(ranks, key=ranks.__getitem__)


def test_a_tier_without_a_rank_comes_last() -> None:
    assert hierarchy.last({}) == 1
    assert hierarchy.last({"a": 1, "b": 7}) == 8


def test_a_new_tier_at_a_taken_rank_moves_those_behind_it() -> None:
    assert hierarchy.added({"a": 1, "b": 2, "c": 3}, 2) == {"b": 3, "c": 4}


def test_a_new_tier_at_a_free_rank_moves_nobody() -> None:
    assert hierarchy.added({"a": 1, "b": 5}, 3) == {}


def test_a_tier_that_moves_is_passed_by_those_in_between() -> None:
    ranks = {"a": 1, "b": 2, "c": 3, "d": 4}
    assert hierarchy.moved(ranks, "a", 3) == {"b": 1, "c": 2}
    assert hierarchy.moved(ranks, "d", 2) == {"b": 3, "c": 4}
    assert hierarchy.moved(ranks, "b", 9) == {}
    assert hierarchy.moved(ranks, "b", 2) == {}


@given(RANKS, st.integers(0, 12))
def test_ranks_stay_different_and_the_others_in_order_when_one_is_added(ranks: dict[str, int], rank: int) -> None:
    after = ranks | hierarchy.added(ranks, rank) | {"new": rank}
    assert len(set(after.values())) == len(after)
    assert [name for name in order(after) if name != "new"] == order(ranks)


@given(RANKS.filter(bool), st.integers(0, 12), st.data())
def test_ranks_stay_different_and_the_others_in_order_when_one_moves(
    ranks: dict[str, int], rank: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(sorted(ranks)))
    after = ranks | hierarchy.moved(ranks, chosen, rank) | {chosen: rank}
    assert len(set(after.values())) == len(after)
    assert all(at >= 0 for at in after.values())
    assert [name for name in order(after) if name != chosen] == [name for name in order(ranks) if name != chosen]
