"""The tables of legal moves: complete, closed, and with no way around them."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from db import states
from db.queries import _moves
from db.states import (
    JOB_MOVES,
    LINE_MOVES,
    LINE_RESTING,
    LINE_SETTLED,
    SECTION_MOVES,
    JobState,
    LineState,
    SectionState,
    prior,
)

TABLES: list[tuple[type[StrEnum], Mapping[Any, frozenset[Any]]]] = [
    (LineState, LINE_MOVES),
    (SectionState, SECTION_MOVES),
    (JobState, JOB_MOVES),
]

PAIRS = [
    pytest.param(table, before, after, id=f"{kind.__name__}:{before}->{after}")
    for kind, table in TABLES
    for before, after in itertools.product(kind, kind)
]


@pytest.mark.parametrize(("table", "before", "after"), PAIRS)
def test_every_pair_is_either_in_the_table_or_refused(
    table: Mapping[Any, frozenset[Any]], before: StrEnum, after: StrEnum
) -> None:
    if after in table[before]:
        assert f"'{before}'" in _moves.legal(after, [before])
        assert before != after, "staying is not a move"
    else:
        with pytest.raises(_moves.IllegalMove):
            _moves.legal(after, [before])


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_state_has_its_moves_and_can_be_reached(
    kind: type[StrEnum], table: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    assert set(table) == set(kind)
    first = next(iter(kind))
    reached, frontier = {first}, {first}
    while frontier:
        frontier = set().union(*(table[state] for state in frontier)) - reached
        reached |= frontier
    assert reached == set(kind)


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_nobody_is_stuck_for_ever(kind: type[StrEnum], table: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    """A person can bring everything back: there is a way from each state to each other one."""
    for start in kind:
        reached, frontier = {start}, {start}
        while frontier:
            frontier = set().union(*(table[state] for state in frontier)) - reached
            reached |= frontier
        assert reached == set(kind), f"from {start}"


@pytest.mark.parametrize("to", list(LineState))
def test_prior_is_the_table_read_backwards(to: LineState) -> None:
    assert prior(to) == {state for state in LineState if to in LINE_MOVES[state]}


def test_settled_and_resting() -> None:
    assert {LineState.ACCEPTED, LineState.SKIPPED} == LINE_SETTLED
    assert LINE_SETTLED < LINE_RESTING
    machine = {LineState.QUEUED, LineState.RENDERING, LineState.RENDERED, LineState.HELD}
    for state in LINE_RESTING:
        assert not LINE_MOVES[state] & machine, f"{state} rests: only a person, by way of pending, moves it on"
    for state in set(LineState) - LINE_RESTING:
        assert LineState.CANCELLED in LINE_MOVES[state], f"{state} is under way and can be cancelled"


def test_every_line_can_be_left_out_unless_it_already_is() -> None:
    assert prior(LineState.SKIPPED) == set(LineState) - {LineState.SKIPPED, LineState.CANCELLED}


def test_only_a_line_a_session_holds_gets_a_take_or_fails_by_trying() -> None:
    assert prior(LineState.RENDERED) == {LineState.RENDERING}
    assert prior(LineState.RENDERING) == {LineState.QUEUED}
    assert prior(LineState.QUEUED) == {LineState.PENDING}
    assert prior(LineState.FAILED) == prior(LineState.HELD) == {LineState.RENDERING}


def test_every_member_has_a_sentence() -> None:
    for node in ast.parse(inspect.getsource(states)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        assert ast.get_docstring(node)
        for member, text in itertools.pairwise([*node.body[1:], None]):
            if isinstance(member, ast.Assign):
                assert isinstance(text, ast.Expr), f"{node.name}.{ast.unparse(member)} has no sentence"
                assert isinstance(text.value, ast.Constant)
                assert str(text.value.value).endswith((".", "…"))
