"""The Celery side: app, queues, the message contract, one process per device."""
