"""The command line. One file per group of commands; everything heavy is imported inside the commands."""

from scheduler.cli.main import app, main

__all__ = ["app", "main"]
