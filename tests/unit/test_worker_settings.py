"""The Celery application: what it is told, and that making it touches nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery import current_app

from workers.app import add_line_queues, make_app
from workers.contract import DEAD_EXCHANGE, DEAD_QUEUE, POST_QUEUE, line_queue
from workers.settings import DELIVERY_LIMIT, broker_heartbeat, celery_settings, dead_queue, engine_queue

AMQP = "amqp://guest:guest@127.0.0.1:1//"


def test_importing_the_app_is_light() -> None:
    code = (
        "import sys, workers.app, workers.settings, workers.contract;"
        "heavy = {'torch', 'synthesis', 'db', 'sqlalchemy', 'numpy', 'scheduler'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_making_an_app_sets_no_current_app() -> None:
    before = current_app._get_current_object()
    assert make_app(AMQP) is not current_app._get_current_object()
    assert current_app._get_current_object() is before


@pytest.mark.parametrize("url", [AMQP, None])
def test_only_json_is_accepted_and_nothing_is_stored(url: str | None) -> None:
    conf = make_app(url).conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.result_backend is None
    assert conf.task_ignore_result
    assert not conf.task_create_missing_queues


def test_rabbitmq_acknowledges_late_and_never_gives_up() -> None:
    conf = make_app(AMQP).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_connection_max_retries is None
    assert conf.worker_send_task_events


def test_the_in_process_transport_acknowledges_early_and_prefetches_without_limit() -> None:
    conf = make_app(None).conf
    assert conf.broker_url.startswith("memory://")
    assert not conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 0
    assert conf.broker_transport_options["polling_interval"] == 0.005


def test_queues_are_quorum_queues_with_a_limit_and_a_dead_letter_exchange() -> None:
    queue = engine_queue("draft", memory=False)
    assert queue.name == line_queue("draft")
    assert queue.durable
    assert queue.queue_arguments["x-queue-type"] == "quorum"
    assert queue.queue_arguments["x-delivery-limit"] == DELIVERY_LIMIT
    assert queue.queue_arguments["x-dead-letter-exchange"] == DEAD_EXCHANGE
    assert queue.queue_arguments["x-overflow"] == "reject-publish"
    assert dead_queue(memory=False).name == DEAD_QUEUE


def test_the_in_process_transport_gets_plain_queues() -> None:
    assert engine_queue("draft", memory=True).queue_arguments is None


def test_queues_of_engines_are_added_once() -> None:
    app = make_app(AMQP)
    assert add_line_queues(app, ["draft", "fake"]) == [line_queue("draft"), line_queue("fake")]
    assert add_line_queues(app, ["draft"]) == [line_queue("draft")]
    assert set(app.amqp.queues) == {POST_QUEUE, line_queue("draft"), line_queue("fake")}


def test_settings_are_made_anew_each_time() -> None:
    celery_settings(AMQP)["accept_content"].append("pickle")
    assert celery_settings(AMQP)["accept_content"] == ["json"]


def test_the_broker_hangs_up_on_a_silent_worker_about_when_its_lease_runs_out() -> None:
    assert broker_heartbeat(30.0) == 10
    assert broker_heartbeat(1.0) == 2
