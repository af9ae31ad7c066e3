"""Everything over TLS on a Kafka with the hardened profile: each part with a principal of its own, and what strangers get."""

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from aiokafka.client import AIOKafkaClient

from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import JvmBroker
from revocast.dev.broker.certificates import LOOPBACK
from revocast.dev.broker.certificates import Authority as CertificateAuthority
from revocast.dev.broker.ports import free_ports
from revocast.dev.demo.processes import Process, Processes, wait_until
from revocast.schemas.https import HttpsCallerSettings
from revocast.schemas.settings import KafkaSettings
from revocast.sdk import Guard, StartupTimeout, TokenRevoked
from tests.cli.conftest import REVOCAST, Cli
from tests.cli.doctor.deployment import doctor
from tests.hardened import PRINCIPALS, as_admin, readable, writable
from tests.issuer.core.authority import Authority

PREFIX = "line"
SHOP = {"audience": "shop", "name": "Shop", "scopes": ["read"]}
WEB = {"client_id": "web", "name": "Web", "access": {"shop": ["read"]}}
Environ = dict[str, str]


@dataclass(frozen=True)
class Line:
    """Issuer and two workers of streams, over TLS; `tls` trusts them."""

    broker: JvmBroker
    issuer: str
    workers: tuple[str, str]
    cli: Cli
    folder: Path
    tls: ssl.SSLContext

    def service(self, **environ: str) -> Environ:
        """What a service's guard is given; it pins the root over HTTPS."""
        hardening = self.broker.hardening
        return {
            **hardening.by_certificate("service", self.broker.bootstrap_mtls),
            "REVOCAST_PREFIX": PREFIX,
            "REVOCAST_ISSUER": self.issuer,
            "REVOCAST_AUDIENCE": "shop",
            "REVOCAST_TLS_CA": str(hardening.authority.ca),
            "REVOCAST_STATE_DIR": str(self.folder / "guard"),
            "REVOCAST_STARTUP_TIMEOUT": "30",
            **environ,
        }


@pytest.fixture(scope="module")
def line(hardened: JvmBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The issuer logs in by certificate, streams by password: both ways are there."""
    folder, hardening = tmp_path_factory.mktemp("line"), hardened.hardening
    server, ca = hardening.authority.issue("server", LOOPBACK), str(hardening.authority.ca)
    issuer, *workers = (f"https://127.0.0.1:{port}" for port in free_ports(3))
    https = {"REVOCAST_TLS_CERTIFICATE": str(server.certificate), "REVOCAST_TLS_KEY": str(server.key)}
    common = {"REVOCAST_PREFIX": PREFIX, "REVOCAST_ISSUER": issuer, "REVOCAST_TLS_CA": ca}
    home = {"REVOCAST_HOME": str(folder / "home"), "REVOCAST_LISTEN": urlsplit(issuer).netloc}
    admin = as_admin(hardened, PREFIX)
    for command in (["ensure"], ["acl", *PRINCIPALS]):
        done = admin("topics", *command)
        assert done.code == 0, done.err
    cli = Cli({**hardening.by_password("operator", hardened.bootstrap), **common, **home})
    made = cli("init", "--announce", "1", "--json")
    assert made.code == 0, made.err
    with closing(Processes(folder)) as processes:
        as_issuer = hardening.by_certificate("issuer", hardened.bootstrap_mtls)
        running = [(issuer, start(processes, "issuer", {**as_issuer, **common, **home, **https}))]
        for url in workers:
            own = {
                "REVOCAST_ROOT": made.data["root"],
                "REVOCAST_STREAMS_LISTEN": urlsplit(url).netloc,
                "REVOCAST_STREAMS_DATADIR": str(folder / urlsplit(url).netloc),
            }
            as_streams = hardening.by_password("streams", hardened.bootstrap)
            running.append((url, start(processes, "streams", {**as_streams, **common, **https, **own})))
        tls = HttpsCallerSettings(tls_ca=Path(ca)).caller_context()
        for url, process in running:
            wait_until(url, is_ready(url, tls), process)
        yield Line(hardened, issuer, (workers[0], workers[1]), cli, folder, tls)


def start(processes: Processes, program: str, environ: Environ) -> Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REVOCAST_")}
    return processes.start(program, [*REVOCAST, "serve", program], {**inherited, **environ})


def is_ready(url: str, tls: ssl.SSLContext) -> Callable[[], bool]:
    def look() -> bool:
        try:
            return httpx.get(f"{url}/readyz", verify=tls).is_success
        except httpx.TransportError:
            return False

    return look


@pytest.fixture
def operator(line: Line) -> Iterator[Operator]:
    with Operator(operator_settings(line.cli.environ)) as operator:
        if not operator.get("/v1/clients", "revocast:read")["items"][1:]:
            operator.post("/v1/resource-servers", "revocast:clients", SHOP)
            operator.post("/v1/clients", "revocast:clients", WEB)
        yield operator


def sign_in(operator: Operator, sub: str) -> str:
    body = {"client_id": "web", "sub": sub, "audience": "shop"}
    return str(operator.post("/v1/tokens", "revocast:mint", body)["access_token"])


async def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def test_a_revoke_is_enforced_with_each_part_under_its_own_principal_and_all_of_it_over_tls(
    line: Line, operator: Operator
) -> None:
    token, good = sign_in(operator, "mallory"), sign_in(operator, "alice")
    async with Guard.from_env(line.service()) as guard:
        assert guard.verify(token)["sub"] == "mallory"
        done = line.cli("revoke", "subject", "mallory", "--json")
        assert (done.code, done.data["status"]) == (0, "published"), done.err

        def is_refused() -> bool:
            try:
                guard.verify(token)
            except TokenRevoked:
                return True
            return False

        await eventually("the guard refuses", is_refused)
        assert guard.verify(good)["sub"] == "alice"
        _, table = guard.table()
    assert table
    for worker in line.workers:  # half of it is the other worker's, asked over HTTPS

        def agrees(worker: str = worker) -> bool:
            answer = httpx.get(f"{worker}/v1/table", verify=line.tls)
            return answer.is_success and answer.content == table

        await eventually(f"{worker} holds the same bytes", agrees)


def test_issuer_and_streams_answer_https_and_nothing_in_the_clear(line: Line) -> None:
    for url in (line.issuer, *line.workers):
        assert httpx.get(f"{url}/healthz", verify=line.tls).is_success
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/healthz".replace("https://", "http://"))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{url}/healthz")


def test_the_command_says_that_it_does_not_trust_the_issuers_certificate(line: Line) -> None:
    done = line.cli.having(REVOCAST_TLS_CA="")("status")
    assert done.code == 4
    assert "certificate verify failed" in done.err
    assert "REVOCAST_TLS_CA" in done.err


async def test_a_guard_pins_no_root_over_a_connection_that_it_does_not_trust(line: Line) -> None:
    environ = line.service(
        REVOCAST_TLS_CA="", REVOCAST_STARTUP_TIMEOUT="1", REVOCAST_STATE_DIR=str(line.folder / "x")
    )
    with pytest.raises(StartupTimeout, match="certificate verify failed"):
        await Guard.from_env(environ).start()


@dataclass(frozen=True)
class Stranger:
    """Who gets nowhere: which credentials, what is wrong with them, and what is said."""

    by: str
    wrong: Environ
    said: str


STRANGERS = {
    "unencrypted": Stranger("nothing", {}, "may want REVOCAST_KAFKA_SECURITY=ssl or sasl_ssl"),
    "unauthenticated": Stranger(
        "password",
        {
            "REVOCAST_KAFKA_SECURITY": "ssl",
            "REVOCAST_KAFKA_USERNAME": "",
            "REVOCAST_KAFKA_PASSWORD": "",
        },
        "may want a login: REVOCAST_KAFKA_SECURITY=sasl_ssl",
    ),
    "wrong password": Stranger(
        "password", {"REVOCAST_KAFKA_PASSWORD": "guess"}, "refuses this user name and password"
    ),
    "unknown user": Stranger(
        "password", {"REVOCAST_KAFKA_USERNAME": "root"}, "refuses this user name and password"
    ),
    "another mechanism": Stranger(
        "password", {"REVOCAST_KAFKA_MECHANISM": "PLAIN"}, "does not offer this login"
    ),
    "unknown authority": Stranger("password", {"REVOCAST_KAFKA_CA": "{other}/ca.pem"}, "not to be trusted"),
    "another host name": Stranger("password", {"REVOCAST_KAFKA": "127.1:{port}"}, "not to be trusted"),
    "no certificate": Stranger(
        "certificate",
        {"REVOCAST_KAFKA_CERTIFICATE": "", "REVOCAST_KAFKA_KEY": ""},
        "wants a certificate that it trusts",
    ),
    "untrusted certificate": Stranger(
        "certificate",
        {
            "REVOCAST_KAFKA_CERTIFICATE": "{other}/service.crt",
            "REVOCAST_KAFKA_KEY": "{other}/service.key",
        },
        "wants a certificate that it trusts",
    ),
    "no broker": Stranger("password", {"REVOCAST_KAFKA": "127.0.0.1:9"}, "does not answer"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_gets_nowhere_and_is_told_why(hardened: JvmBroker, tmp_path: Path, name: str) -> None:
    CertificateAuthority(tmp_path).issue("service")
    stranger, hardening = STRANGERS[name], hardened.hardening
    environ = {
        "nothing": {"REVOCAST_KAFKA": hardened.bootstrap},
        "password": hardening.by_password("service", hardened.bootstrap),
        "certificate": hardening.by_certificate("service", hardened.bootstrap_mtls),
    }[stranger.by]
    port = hardened.bootstrap.rpartition(":")[2]
    wrong = {name: value.format(other=tmp_path, port=port) for name, value in stranger.wrong.items()}
    done = Cli({**environ, **wrong})("topics", "verify")
    assert done.code == 4
    assert stranger.said in done.err.replace("\n", " ")
    assert environ.get("REVOCAST_KAFKA_PASSWORD", "guess") not in done.err


def with_certificate(broker: JvmBroker, name: str) -> KafkaSettings:
    """Of a client that shows a certificate of `CN=name`."""
    identity = broker.hardening.authority.issue(name)
    environ = {
        **broker.hardening.by_certificate("service", broker.bootstrap_mtls),
        "REVOCAST_KAFKA_CERTIFICATE": str(identity.certificate),
        "REVOCAST_KAFKA_KEY": str(identity.key),
        "REVOCAST_PREFIX": PREFIX,
    }
    return KafkaSettings.from_env(environ)


@pytest.mark.usefixtures("line")
async def test_a_certificates_common_name_is_the_principal_and_any_other_subject_is_nobody(
    hardened: JvmBroker,
) -> None:
    assert await writable(with_certificate(hardened, "service")) == {"fleet"}
    assert await writable(with_certificate(hardened, "SERVICE")) == set()
    assert await readable(with_certificate(hardened, "somebody")) == set()


async def test_a_guard_with_a_wrong_password_says_so(line: Line) -> None:
    wrong = line.broker.hardening.by_password("service", line.broker.bootstrap)
    wrong |= {"REVOCAST_KAFKA_PASSWORD": "guess", "REVOCAST_STARTUP_TIMEOUT": "2"}
    environ = {**line.service(), "REVOCAST_KAFKA_CERTIFICATE": "", "REVOCAST_KAFKA_KEY": "", **wrong}
    with pytest.raises(StartupTimeout, match="refuses this user name and password"):
        await Guard.from_env(environ).start()


def test_streams_with_a_wrong_password_ends_and_says_so(line: Line, tmp_path: Path) -> None:
    wrong = line.broker.hardening.by_password("streams", line.broker.bootstrap)
    root = {
        "REVOCAST_ISSUER": line.issuer,
        "REVOCAST_ROOT": "r" * 43,
        "REVOCAST_STREAMS_DATADIR": str(tmp_path),
    }
    done = Cli({**wrong, **root, "REVOCAST_KAFKA_PASSWORD": "guess"}).process("serve", "streams")
    assert done.code == 1
    assert "refuses this user name and password" in done.err
    assert "Traceback" not in done.err


async def test_no_login_is_in_the_debug_log(hardened: JvmBroker, caplog: pytest.LogCaptureFixture) -> None:
    kafka = KafkaSettings.from_env(hardened.hardening.by_password("admin", hardened.bootstrap))
    client = AIOKafkaClient(**kafka.client_options())
    with caplog.at_level(logging.DEBUG, logger="aiokafka"):
        await client.bootstrap()
        await client.close()
    assert "SaslHandShakeRequest" in caplog.text
    assert "sasl_auth_bytes" not in caplog.text


async def test_a_relay_with_a_wrong_password_says_so(hardened: JvmBroker, tmp_path: Path) -> None:
    wrong = hardened.hardening.by_password("issuer", hardened.bootstrap)
    authority = Authority(tmp_path / "home")
    relay = authority.relay(KafkaSettings.from_env({**wrong, "REVOCAST_KAFKA_PASSWORD": "guess"}))
    await relay.start()
    try:
        await eventually(
            "the reason",
            lambda: "refuses this user name and password" in str(authority.publication.relay.problem),
        )
    finally:
        await relay.stop()
        authority.close()


async def test_the_doctor_finds_a_service_of_this_line_good(line: Line) -> None:
    """It logs in by certificate, and reads over HTTPS which root it would pin."""
    report = await doctor(line.service())
    assert report.verdicts("state") == {"warn", "ok"}, report.lines  # the root should be set
    for check in ("Kafka", "topics", "rights", "trust", "checkpoint", "clock", "start", "snapshot"):
        assert report.verdicts(check) == {"ok"}, report.lines
    assert report.code == 1
