"""Settings of every farm process: built once in a command, passed down, never read at import.

Each field can be set by an environment variable (named in ``.env.example``) or in a ``.env`` file.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything a farm process can be told. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="VOICEFARM_",
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("voicefarm", appauthor=False)),
        description="State directory of this machine: embedded database, take store, logs.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql://… of the farm. Empty: an embedded Postgres under the home directory.",
    )
    broker_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("BROKER_URL", "broker_url"),
        description="amqp://… of the farm. Empty: the in-process transport, for `voicefarm render` on one machine.",
    )
    store_url: str | None = Field(
        default=None,
        description="Where takes and tracks are kept: file:///path or s3://bucket/prefix. Empty: <home>/store.",
    )
    lease_s: float = Field(default=30.0, gt=0, description="A worker silent for this long loses its lines.")
    heartbeat_s: float = Field(default=5.0, gt=0, description="How often a worker says that it is alive.")
    poll_s: float = Field(default=1.0, gt=0, description="How often the scheduler looks without being told to.")
    queue_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="A line queued for this long without a worker taking it is dispatched again.",
    )
    watchdog_s: float = Field(
        default=120.0, gt=0, description="An engine without progress for this long ends its process."
    )
    window_factor: float = Field(
        default=2.0,
        gt=0,
        description="Lines kept at the broker, as a multiple of the capacity of the live workers.",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    flower_port: int = Field(default=5555, ge=0, le=65535, description="Port of the Flower pages, on loopback.")
    flower_auth: str | None = Field(
        default=None, description="user:password for Flower. Required for an address other than loopback."
    )

    @property
    def resolved_store_url(self) -> str:
        """The store's URL, with the default filled in."""
        return self.store_url or (self.home / "store").absolute().as_uri()
