"""``python -m scheduler.cli`` is ``voicefarm``."""

from scheduler.cli.main import main

main()
