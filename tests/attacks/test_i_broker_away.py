"""Kafka is away when somebody revokes, and then the issuer is killed."""

from pathlib import Path

from revocast.dev.broker import Broker
from tests.issuer.http.process import IssuerProcess, revocast


def test_i06_a_pending_revocation_is_published_after_kill_9(tmp_path: Path, broker: Broker) -> None:
    made = revocast("topics", "ensure", REVOCAST_KAFKA=broker.bootstrap, REVOCAST_PREFIX="i06")
    assert made.returncode == 0, made.stderr
    with IssuerProcess(tmp_path / "home", broker.bootstrap, "i06") as issuer:
        issuer.wait_for_relay("publishing")
        broker.stop()
        receipt = issuer.revoke("alice")
        assert receipt["status"] == "pending"
        issuer.kill()
        issuer.start()
        # Kafka is away: the issuer is ready all the same, and says where things stand.
        status = issuer.operate("GET", "/v1/status")
        assert status["n"] >= receipt["n"] > status["published_n"]
        broker.start()
        issuer.wait_for(lambda: issuer.operate("GET", "/v1/status")["published_n"] >= receipt["n"])
