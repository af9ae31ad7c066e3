"""One worker on a real Kafka: what it answers, and when it must not."""

from collections.abc import Callable

from revocast.schemas.row import NEVER
from tests.streams.harness import Publisher, Worker, eventually, ready, status_of, table_of


async def test_the_table_is_byte_identical_with_the_issuers(publisher: Publisher, worker: Worker) -> None:
    issuer = publisher.issuer
    for user in range(300):
        issuer.block(issuer.subject(f"user-{user}"), NEVER if user % 2 else issuer.now + 5)
    for user in range(0, 300, 3):
        issuer.lift(issuer.subject(f"user-{user}"))
    issuer.now += 5
    issuer.cutoff(issuer.client("app"))
    await publisher.checkpoint()

    assert await table_of(worker, publisher) == issuer.table.pack()
    counts = (await worker.get("/v1/counts")).json()
    assert counts["by_kind"] == {"subject": 100, "client": 1}
    assert counts["at"]["n"] == issuer.position.n


async def test_a_look_up_shows_what_is_live_and_at_which_record(publisher: Publisher, worker: Worker) -> None:
    issuer = publisher.issuer
    alice = issuer.subject("alice")
    fingerprint = issuer.name(alice)[0].hex()
    until = issuer.now + issuer.max_lifetime + issuer.leeway
    issuer.cutoff(alice)
    issuer.block(alice)
    await publisher.checkpoint()
    await table_of(worker, publisher)

    found = (await worker.get("/v1/lookup", fingerprint=fingerprint)).json()
    assert [(row["kind"], row["slot"], row["expires_at"]) for row in found["rows"]] == [
        ("subject", "cutoff", until),
        ("subject", "block", None),
    ]
    assert (found["at"]["n"], found["at"]["hash"]) == (issuer.position.n, issuer.position.hash.hex())

    issuer.lift(alice)
    await publisher.checkpoint()

    async def lifted() -> bool:
        answer = await worker.get("/v1/lookup", fingerprint=fingerprint, at_least=issuer.position.n)
        return answer.status_code == 200 and [row["slot"] for row in answer.json()["rows"]] == ["cutoff"]

    await eventually("the lift in the look-up", lifted)


async def test_it_never_answers_from_a_record_before_the_newest_checkpoint(
    publisher: Publisher, worker: Worker
) -> None:
    issuer = publisher.issuer
    await ready(worker)
    fingerprint = issuer.name(issuer.subject("alice"))[0].hex()
    assert (await worker.get("/v1/lookup", fingerprint=fingerprint)).status_code == 200

    withheld = issuer.block(issuer.subject("alice"))
    issuer.log.drop(-1)
    await publisher.checkpoint()

    async def refuses() -> bool:
        answer = await worker.get("/v1/lookup", fingerprint=fingerprint)
        return answer.status_code == 503 and answer.json()["type"] == "urn:revocast:error:behind"

    await eventually("503 while a published record is missing", refuses)
    assert (await worker.get("/readyz")).status_code == 503
    assert (await worker.get("/v1/counts")).status_code == 503

    await publisher.send(publisher.topics.revocations, withheld)
    assert await table_of(worker, publisher) == issuer.table.pack()


async def test_keys_and_health_are_served(publisher: Publisher, worker: Worker) -> None:
    issuer = publisher.issuer
    issuer.rotate("ES256")
    await publisher.checkpoint()
    await ready(worker)
    keys = (await worker.get("/v1/keys")).json()
    assert (keys["delegations"], keys["version"]) == (issuer.delegations, issuer.key_set)
    assert [key["state"] for key in keys["issuers"][0]["keys"]] == ["retiring", "active"]
    assert "salt" not in str(keys)
    assert (await worker.get("/healthz")).json()["ok"] is True
    assert "/v1/lookup" in (await worker.get("/openapi.json")).json()["paths"]
    assert (await worker.get("/v1/lookup", fingerprint="zz")).status_code == 422


async def test_a_new_epoch_replaces_the_table(publisher: Publisher, worker: Worker) -> None:
    issuer = publisher.issuer
    for user in range(50):
        issuer.block(issuer.subject(f"user-{user}"))
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()

    issuer.new_epoch()
    issuer.lift(issuer.subject("user-7"))
    await publisher.checkpoint()
    assert issuer.position.epoch == 2
    assert await table_of(worker, publisher) == issuer.table.pack()


async def test_a_fork_is_never_answered_from(publisher: Publisher, worker: Worker) -> None:
    issuer = publisher.issuer
    await ready(worker)
    _, other = issuer.sign_next((issuer.block_row(issuer.subject("mallory")),))
    issuer.block(issuer.subject("alice"))
    genuine = issuer.log.drop(-1)
    await publisher.send(publisher.topics.revocations, type(genuine)(0, genuine.key, other))
    await publisher.checkpoint()
    await publisher.send(publisher.topics.revocations, genuine)

    async def forked() -> bool:
        status = await status_of(worker)
        return "fork" in status.get("flaws", ()) and any("fork" in reason for reason in status["reasons"])

    await eventually("the fork is told", forked)
    assert (await worker.get("/v1/counts")).status_code == 503


async def test_it_stops_when_told_and_says_so_by_its_status(publisher: Publisher, worker: Worker) -> None:
    await publisher.checkpoint()
    await ready(worker)
    assert worker.stop() == 0


async def test_it_stops_while_it_is_starting(worker: Worker) -> None:
    async def answers() -> bool:
        return (await worker.get("/healthz")).status_code == 200

    await eventually("the first answer", answers)
    assert worker.stop() == 0


async def test_it_names_the_setting_that_is_missing(workers: Callable[[], Worker]) -> None:
    worker = workers()
    worker.environ.pop("REVOCAST_ROOT")
    worker.start()
    assert worker.ended() == 2
    assert "REVOCAST_ROOT" in worker.log.read_text()


async def test_a_list_that_expires_is_said_and_an_expired_one_ends_the_answers(
    publisher: Publisher, worker: Worker
) -> None:
    issuer = publisher.issuer
    await ready(worker)
    assert (await status_of(worker))["warnings"] == []

    issuer.list_lifetime = 59 * 86400 + 3600
    issuer.publish_delegations()
    await publisher.checkpoint()

    async def said() -> bool:
        return "expires in 59 days" in "".join((await status_of(worker))["warnings"])

    await eventually("the warning", said, worker)
    assert (await worker.get("/readyz")).status_code == 200

    issuer.list_lifetime = 0
    issuer.publish_delegations()
    await publisher.checkpoint()

    async def refused() -> bool:
        answer = await worker.get("/readyz")
        return answer.status_code == 503 and "the delegation list has expired" in answer.text

    await eventually("the end of its answers", refused, worker)
    assert "expires in 59 days" in worker.log.read_text()
