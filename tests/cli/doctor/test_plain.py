"""On a Kafka without protection: what is wrong with the deployment, the host or the settings."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from revocast.cli.doctor import network, start
from revocast.schemas.topics import Topics
from revocast.sdk.settings import GuardSettings
from revocast.testing import Authority
from tests.cli.conftest import REVOCAST, Cli
from tests.cli.doctor.deployment import Deployment, doctor, living, plain, service
from tests.sdk.jwks.idp import Idp
from tests.sdk.serving import serving
from tests.sdk.stage import stage, until_done

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def authority() -> Authority:
    return Authority(now=int(time.time()))


Deploy = Callable[..., AbstractAsyncContextManager[Deployment]]


@pytest.fixture
def deploy(kafka: str, prefix: str, topics: Topics, tmp_path: Path) -> Deploy:
    """A deployment with a past, whose issuer's clock is ahead of ours by so many seconds; `alive`: it goes on signing checkpoints."""

    @asynccontextmanager
    async def deploy(
        ahead: int = 0, *, alive: bool = True, past: Callable[[Authority], object] = lambda _: None
    ) -> AsyncIterator[Deployment]:
        authority = Authority(now=int(time.time()) + ahead)
        past(authority)
        found = Deployment(authority, service(authority, plain(kafka), prefix, tmp_path), ahead, alive)
        async with stage(authority, topics, kafka) as staged, living(found, staged):
            yield found

    return deploy


@pytest.fixture
async def deployment(deploy: Deploy) -> AsyncIterator[Deployment]:
    async with deploy() as found:
        yield found


# --- the deployment


async def test_a_good_deployment_is_found_good_and_nothing_is_left_on_the_host(deploy: Deploy) -> None:
    async with deploy(past=lambda authority: authority.block(authority.subject("alice"))) as deployment:
        report = await doctor(deployment.environ)
    for check in (
        "settings",
        "state",
        "Kafka",
        "topics",
        "trust",
        "checkpoint",
        "clock",
        "start",
        "snapshot",
    ):
        assert report.verdicts(check) == {"ok"}, report.lines
    assert "1 rows" in report.about("start")
    assert not (await asyncio.to_thread(Path(deployment.environ["REVOCAST_STATE_DIR"]).exists))


async def test_whoever_may_write_what_decides_is_told_so(deployment: Deployment) -> None:
    report = await doctor(deployment.environ)
    assert report.code == 1
    assert report.verdicts("rights") == {"warn"}
    assert "has no authorizer" in report.about("rights")


async def test_people_get_a_line_a_check_and_the_mend_below(deployment: Deployment) -> None:
    done = await asyncio.to_thread(Cli(deployment.environ), "doctor")
    assert "\nok   topics     " in done.out
    assert "\n                → See the hardened profile" in done.out


async def test_a_silent_issuer_is_warned_of_and_a_long_silent_one_a_failure(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_LIVE", 1.0)
    async with deploy(-100, alive=False) as deployment:
        report = await doctor(deployment.environ)
        assert report.verdicts("checkpoint") == {"warn"}
        assert "and none since" in report.about("checkpoint")
        assert report.verdicts("start") == {"ok"}
        report = await doctor({**deployment.environ, "REVOCAST_AUTHORITY_AGE": "50"}, "--timeout", "2")
        assert report.verdicts("checkpoint") == {"fail"}
        assert "revocast status" in report.about("checkpoint")
        assert report.verdicts("start") == {"fail"}
        assert report.code == 2


@pytest.mark.parametrize(
    ("ahead", "verdict", "says"),
    [
        (12, "warn", "behind the issuer's"),
        (-12, "warn", "ahead of the issuer's"),
        (90, "fail", "30 s of leeway"),
    ],
)
async def test_a_clock_that_is_off_is_told_by_how_much(
    deploy: Deploy, ahead: int, verdict: str, says: str
) -> None:
    async with deploy(ahead) as deployment:
        report = await doctor(deployment.environ)
    assert report.verdicts("clock") == {verdict}, report.lines
    assert says in report.about("clock")
    assert "Kafka's timestamps agree with this host" in report.about("clock")


async def test_a_root_of_another_deployment_is_no_trust(deployment: Deployment) -> None:
    report = await doctor({**deployment.environ, "REVOCAST_ROOT": Authority().pin}, "--timeout", "3")
    assert report.verdicts("trust") == {"fail"}
    assert "REVOCAST_ROOT" in report.about("trust")
    assert report.code == 2


async def test_a_delegation_list_that_ends_soon_is_warned_of(deploy: Deploy) -> None:
    def ends_soon(authority: Authority) -> None:
        authority.list_lifetime = 10 * 86400
        authority.publish_delegations()

    async with deploy(past=ends_soon) as deployment:
        report = await doctor(deployment.environ)
    assert "revocast trust renew" in report.about("trust")
    assert report.verdicts("trust") == {"warn", "ok"}


async def test_a_log_with_a_hole_lets_no_guard_start(deploy: Deploy) -> None:
    def loses_a_record(authority: Authority) -> None:
        authority.append()
        authority.log.drop(-1)
        authority.append()

    async with deploy(past=loses_a_record) as deployment:
        report = await doctor(deployment.environ, "--timeout", "4")
    assert report.verdicts("start") == {"fail"}
    assert "record 2 of the log is missing" in report.about("start")


async def test_topics_that_would_lose_records_are_named(
    authority: Authority, kafka: str, prefix: str, topics: Topics, tmp_path: Path
) -> None:
    wrong = Topics(f"{prefix}-wrong")  # gone with the others
    configs = {spec.name: dict(spec.config) for spec in wrong.specs(1) if spec.control}
    configs[wrong.keys]["retention.ms"] = "60000"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, 1, 1, topic_configs=config) for name, config in configs.items()]
        )

        async def there() -> bool:
            return configs.keys() <= set(await admin.list_topics())

        await until_done(there)
    finally:
        await admin.close()
    report = await doctor(service(authority, plain(kafka), wrong.prefix, tmp_path), "--timeout", "2")
    assert report.verdicts("topics") == {"fail"}
    assert "retention.ms is 60000 and must be -1" in report.about("topics")
    assert "revocast topics verify" in report.about("topics")


async def test_topics_that_are_not_there_are_named(authority: Authority, kafka: str, tmp_path: Path) -> None:
    environ = service(authority, plain(kafka), "nobodys", tmp_path)
    report = await doctor(environ, "--timeout", "2")
    assert "nobodys.revocations" in report.about("topics")
    assert "revocast topics ensure" in report.about("topics")
    assert report.code == 2
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        assert not [name for name in await admin.list_topics() if name.startswith("nobodys.")]
    finally:
        await admin.close()


def has_a_snapshot(authority: Authority) -> None:
    authority.block(authority.subject("alice"))
    authority.snapshot()


async def test_a_snapshot_is_read_whole(deploy: Deploy) -> None:
    async with deploy(past=has_a_snapshot) as deployment:
        report = await doctor(deployment.environ)
    assert report.verdicts("snapshot") == {"ok"}
    assert "1 rows in 1 chunks), every chunk as it was signed" in report.about("snapshot")


async def test_a_snapshot_of_which_a_chunk_is_not_there_is_warned_of(deploy: Deploy) -> None:
    def loses_a_chunk(authority: Authority) -> None:
        has_a_snapshot(authority)
        chunks = (index for index, each in enumerate(authority.snapshots) if each.key.startswith(b"chunk/"))
        authority.snapshots.drop(next(chunks))

    async with deploy(past=loses_a_chunk) as deployment:
        report = await doctor(deployment.environ)
    assert report.verdicts("snapshot") == {"warn"}
    assert "1 chunks are not on the topic" in report.about("snapshot")


# --- the way to Kafka


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_an_address_that_is_wrong_is_told_apart_from_a_name_that_is(
    authority: Authority,
    kafka: str,
    silent: str,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "_LOGIN_TIMEOUT", 1.0)
    for address, says in (
        ("127.0.0.1:1", "refuses the connection"),
        ("kafka.invalid:9092", "knows the name kafka.invalid"),
        (silent, "says nothing"),
        ("127.0.0.1", "not host:port"),
    ):
        report = await doctor(service(authority, plain(address), prefix, tmp_path))
        assert says in report.about("Kafka"), report.lines
        assert report.code == 2
        assert report.about("topics") == ""  # what cannot be looked at is not blamed


async def test_one_address_that_answers_is_enough(deployment: Deployment, kafka: str) -> None:
    report = await doctor({**deployment.environ, "REVOCAST_KAFKA": f"127.0.0.1:1,{kafka}"})
    assert report.verdicts("Kafka") == {"warn", "ok"}
    assert report.verdicts("start") == {"ok"}


async def test_a_broker_that_calls_itself_what_cannot_be_reached_is_told(
    deployment: Deployment, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = network._reach

    async def from_elsewhere(host: str, port: int) -> str:
        return await reach(host, port) if host == "localhost" else "cannot be found"

    monkeypatch.setattr(network, "_reach", from_elsewhere)
    port = kafka.rpartition(":")[2]
    report = await doctor({**deployment.environ, "REVOCAST_KAFKA": f"localhost:{port}"})
    assert "a broker calls itself" in report.about("Kafka")
    assert "advertised.listeners" in report.about("Kafka")


# --- the host and its settings


async def test_wrong_settings_are_named_and_nothing_is_asked(authority: Authority, tmp_path: Path) -> None:
    environ = service(authority, plain("127.0.0.1:1"), "p", tmp_path)
    wrong = {"REVOCAST_POLICY": "perhaps", "REVOCAST_LINK_AGE": "-1", "REVOCAST_KAFKA_PASSWORD": "hunter2"}
    report = await doctor({**environ, **wrong})
    assert report.code == 2
    assert len(report.lines) == 2
    assert {"REVOCAST_POLICY", "REVOCAST_LINK_AGE"} <= {line.split()[2].rstrip(":") for line in report.lines}
    assert "hunter2" not in report.done.out + report.done.err


async def test_a_variable_that_is_misspelt_is_pointed_at(deployment: Deployment) -> None:
    report = await doctor({**deployment.environ, "REVOCAST_AUTORITY_AGE": "60", "REVOCAST_HOME": "/x"})
    assert "Did you mean REVOCAST_AUTHORITY_AGE?" in report.about("settings")
    assert "REVOCAST_HOME" not in report.about("settings")


async def test_a_folder_that_cannot_be_written_is_warned_of(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = await doctor({**deployment.environ, "REVOCAST_STATE_DIR": str(tmp_path / "file" / "state")})
    assert report.verdicts("state") == {"warn"}
    assert "REVOCAST_STATE_DIR" in report.about("state")


async def test_a_local_copy_that_is_damaged_is_warned_of(deployment: Deployment) -> None:
    path = GuardSettings.from_env(deployment.environ).base_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 100_000)
    report = await doctor(deployment.environ)
    assert "the local copy of the deny-list is not used" in report.about("state")


async def test_without_a_root_it_says_what_would_be_pinned_and_how_to_set_it(deployment: Deployment) -> None:
    del deployment.environ["REVOCAST_ROOT"]
    report = await doctor(deployment.environ)
    assert report.verdicts("state") >= {"warn"}
    assert report.verdicts("issuer") == {"fail"}  # it cannot be reached, so nothing can be pinned
    assert report.about("start") == ""


async def test_other_issuers_are_asked_for_their_keys(deployment: Deployment) -> None:
    idp = Idp()
    with serving(idp) as url:
        jwks = f"https://idp.test={url}/jwks,https://down.test=http://127.0.0.1:1/jwks"
        report = await doctor({**deployment.environ, "REVOCAST_JWKS": jwks})
    assert "ok JWKS: issuer https://idp.test: 1 keys" in report.about("JWKS")
    assert "fail JWKS: issuer https://down.test" in report.about("JWKS")
    assert report.code == 2


def test_ctrl_c_ends_it_at_once_without_a_word(silent: str, authority: Authority, tmp_path: Path) -> None:
    environ = {**os.environ, **service(authority, plain(silent), "p", tmp_path)}
    with subprocess.Popen(
        [*REVOCAST, "doctor"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
