"""`log` and `audit`: straight from Kafka."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from revocast.cli.operator import Operator
from revocast.schemas.topics import Topics
from tests.cli.conftest import REVOCAST, Cli


async def test_verify_walks_the_chain_to_what_the_issuer_says_and_names_a_forgery(
    operator_cli: Cli, operator: Operator, kafka: str
) -> None:
    assert operator_cli("revoke", "subject", "walked").code == 0
    topic = Topics(operator_cli.environ["REVOCAST_PREFIX"]).revocations
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        forged = await producer.send_and_wait(topic, b"forged", key=b"1")
    done = operator_cli("log", "verify", "--json")
    assert done.code == 0, done.out
    status = operator.get("/v1/status", "revocast:read")
    assert (done.data["n"], done.data["table"]["sha256"]) == (status["n"], status["table"]["digest"])
    assert done.data["root_pinned"]
    assert forged.offset in [entry["offset"] for entry in done.data["not_believed"]]
    text = operator_cli("log", "verify").out
    assert "whole: every record follows the one before" in text
    assert f"revocations at offset {forged.offset}: rejected" in text


def test_the_root_is_pinned_by_the_file_of_init_and_else_asked_of_the_issuer(
    operator_cli: Cli, tmp_path: Path
) -> None:
    pinned = operator_cli("log", "verify", "--json").data
    assert pinned["root_pinned"]
    done = operator_cli.having(REVOCAST_HOME=str(tmp_path))("log", "verify", "--json")
    assert done.code == 0, done.err
    assert (done.data["root"], done.data["root_pinned"]) == (pinned["root"], False)
    text = operator_cli.having(REVOCAST_HOME=str(tmp_path))("log", "verify").out
    assert "REVOCAST_ROOT pins it" in text


def test_verify_under_another_root_believes_nothing_and_is_exit_code_1(operator_cli: Cli) -> None:
    done = operator_cli.having(REVOCAST_ROOT="x" * 43)("log", "verify")
    assert done.code == 1
    assert "not whole: there is no delegation list under this root" in done.out


def test_show_tells_what_each_record_does(operator_cli: Cli) -> None:
    n = operator_cli("block", "session", "shown", "--json").data["n"]
    last = operator_cli("log", "show", "--limit", "1", "--json").data[-1]
    assert (last["n"], last["says"]) == (n, "1 × session block")
    assert "1 × session block" in operator_cli("log", "show").out


def test_audit_tail_shows_who_did_what_and_why(operator_cli: Cli) -> None:
    assert operator_cli("revoke", "subject", "audited", "--reason", "case 7").code == 0
    line = operator_cli("audit", "tail", "-n", "1000", "--type", "revocast.revoked").out
    assert "audited" in line
    assert "case 7" in line
    events = [
        json.loads(text) for text in operator_cli("audit", "tail", "-n", "2", "--json").out.splitlines()
    ]
    assert [event["specversion"] for event in events] == ["1.0", "1.0"]


def test_audit_tail_follows_until_it_is_interrupted(operator_cli: Cli) -> None:
    command = [*REVOCAST, "audit", "tail", "-n", "0", "-f", "--json"]
    environ = {**os.environ, **operator_cli.environ}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tail:
        try:
            assert tail.stdout is not None
            received: queue.Queue[str] = queue.Queue()
            threading.Thread(target=lambda out=tail.stdout: received.put(out.readline()), daemon=True).start()
            deadline = time.monotonic() + 30
            while received.empty():  # it is not known when it has begun to listen
                assert time.monotonic() < deadline
                assert operator_cli("revoke", "subject", "followed").code == 0
            assert json.loads(received.get())["type"] == "revocast.revoked"
            tail.send_signal(signal.SIGINT)
            assert tail.wait(20) == 130
            assert tail.stderr is not None
            assert "Traceback" not in tail.stderr.read()
        finally:
            tail.kill()


def test_a_missing_topic_is_answered_with_how_to_create_it(cli: Cli) -> None:
    done = cli("audit", "tail")
    assert done.code == 2
    assert "revocast topics ensure" in done.err
