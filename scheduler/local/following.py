"""Renders an update that was stored, on a machine without a farm."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from scheduler.local.order import OrderError

if TYPE_CHECKING:
    from db.records import ImportResult
    from db.settings import Settings
    from scheduler.local.render import Outcome
    from scheduler.local.update import Proposal
    from scheduler.local.watch import View


def follow(settings: Settings, proposal: Proposal, result: ImportResult, view: Callable[[], View]) -> Outcome:
    """Render a stored update on this machine, where no farm is configured; what it came to.

    Raises OrderError where its lines need more than the one engine that a process runs.
    """
    from scheduler.local.farm import open_farm
    from scheduler.local.render import outcome_of
    from scheduler.local.watch import watch
    from synthesis.mastering.profiles import get_profile

    started = time.monotonic()
    with open_farm(settings, engine=one_engine(proposal)) as farm:
        job = watch(farm.database, result.job_id, view())
        notice = get_profile(proposal.plan.profile).notice
        return outcome_of(farm.database, job, result, time.monotonic() - started, notice)


def one_engine(proposal: Proposal) -> str:
    """The engine that renders a proposal on this machine. Raises OrderError for several."""
    engines = sorted(
        {
            line.engine
            for line in proposal.to_render or tuple(line for part in proposal.plan.sections for line in part.lines)
        }
    )
    if len(engines) > 1:
        raise OrderError(
            f"lines of engines {', '.join(engines)} are to be rendered, this machine runs one at a time: "
            "set DATABASE_URL to a farm with a worker for each"
        )
    return engines[0]
