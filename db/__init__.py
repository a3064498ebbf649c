"""The farm's memory: states, models, queries, sessions, and the store of takes.

Nothing here knows Celery, torch or how speech is made.
"""
