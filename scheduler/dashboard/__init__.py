"""The Jobs pages, inside Flower: productions, chapters, lines, and the buttons an operator needs.

They read Postgres, never Flower's memory of tasks: Flower may be restarted or flooded without a page lying.
"""

from __future__ import annotations

from scheduler.dashboard.server import DashboardError, build, run

__all__ = ["DashboardError", "build", "run"]
