"""`revocast trust` against a running issuer: what is asked, what is refused, and the root that stays on another machine."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from revocast.schemas.delegating import InForce
from revocast.schemas.jose import PrivateKey
from revocast.schemas.topics import Topics
from tests.cli.conftest import Cli, Done, issuing
from tests.schemas import exec_signer


@pytest.fixture(scope="module")
def trust(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Holder"]:
    """The root's holder beside an issuer that runs for this module."""
    folder = tmp_path_factory.mktemp("trust")
    with issuing(kafka, folder) as issuer:
        yield Holder(issuer.cli, folder)


class Holder:
    """Runs `revocast trust …` with the root that signs at the moment."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self.cli = cli
        self.folder = folder
        self.root = str(folder / "home" / "root.pem")

    def __call__(self, *arguments: str, yes: bool = True) -> Done:
        """With the root key, as JSON."""
        agreed = ["--yes"] if yes else []
        return self.cli("trust", *arguments, "--root-key", self.root, *agreed, "--json")

    def does(self, *arguments: str) -> Any:
        """The same, which must succeed; its answer."""
        done = self(*arguments)
        assert done.code == 0, done.err
        return done.data

    def show(self, *options: str) -> Any:
        done = self.cli("trust", "show", "--json", *options)
        assert done.code == 0, done.err
        return done.data

    def wait_for_issuer(self) -> None:
        """Until it has taken what was published straight to Kafka; while it is distrusted it answers nobody."""
        version = self.show("--kafka")["version"]
        deadline = time.monotonic() + 30
        while (done := self.cli("trust", "show", "--json")).code or done.data["version"] < version:
            assert time.monotonic() < deadline, "the issuer did not take the list from the topic"

    def kids(self, state: str, role: str = "event") -> list[str]:
        return [key["kid"] for key in self.show()["keys"] if (key["state"], key["role"]) == (state, role)]

    @property
    def isolated(self) -> Cli:
        """A machine that reaches neither issuer nor Kafka."""
        return Cli({"REVOCAST_HOME": str(self.folder / "nowhere")})


def test_show_says_the_same_from_the_issuer_and_from_kafka(trust: Holder) -> None:
    assert trust.cli("block", "session", "any").code == 0, "so everything before it is on Kafka, too"
    online, topic = trust.show(), trust.show("--kafka")
    for name in ("issuer", "version", "epoch", "root", "roots", "expires_at", "distrust"):
        assert online[name] == topic[name], name
    assert online["root_pinned"]
    text = trust.cli("trust", "show").out
    assert f"delegation list {online['version']} of {online['issuer']}" in text
    assert trust.kids("active")[0] in text


def test_nothing_is_signed_before_its_change_was_shown_and_agreed_to(trust: Holder) -> None:
    version = trust.show()["version"]
    done = trust.cli("trust", "renew", "--root-key", trust.root)
    assert done.code == 2
    assert f"version   {version} -> {version + 1}" in done.err
    assert "Sign this?" in done.err
    assert trust.show()["version"] == version


def test_a_new_event_key_signs_beside_the_old_one_and_the_old_one_is_then_bounded_by_what_it_signed(
    trust: Holder,
) -> None:
    (old,) = trust.kids("active")
    refused = trust("retire", old)
    assert (refused.code, "Delegate another first" in refused.err) == (2, True)
    delegated = trust.does("delegate")
    assert trust.kids("active") == [delegated["active"]] != [old]
    before = next(key for key in trust.show()["keys"] if key["kid"] == old)
    trust.does("retire", old)
    after = next(key for key in trust.show()["keys"] if key["kid"] == old)
    assert (before["bound"], after["bound"]) == (None, before["last"])
    again = trust("retire", old)
    assert (again.code, "retired already" in again.err) == (2, True)


def test_the_root_stays_on_a_machine_without_network(trust: Holder, tmp_path: Path) -> None:
    bundle, signed = tmp_path / "request.json", tmp_path / "list.jwt"
    made = trust.cli("trust", "request", "--event-key", "--out", str(bundle), "--json")
    assert made.code == 0, made.err
    arguments = ("trust", "delegate", "--root-key", trust.root, "--from", str(bundle), "--yes")
    nowhere_to = trust.isolated(*arguments)
    assert (nowhere_to.code, "--out FILE" in nowhere_to.err) == (2, True)
    done = trust.isolated(*arguments, "--out", str(signed))
    assert done.code == 0, done.err
    assert made.data["event_key"] in done.err, "the key is named before it is delegated"
    published = trust.cli("trust", "publish", str(signed), "--yes", "--json")
    assert published.code == 0, published.err
    assert trust.kids("active") == [made.data["event_key"]]
    secret = Path(trust.root).read_text().splitlines()[1]
    assert secret not in bundle.read_text() + signed.read_text() + done.out + done.err


def test_a_bundle_is_believed_only_as_far_as_the_root_signed_it(trust: Holder, tmp_path: Path) -> None:
    bundle = tmp_path / "request.json"
    assert trust.cli("trust", "request", "--out", str(bundle)).code == 0
    content = json.loads(bundle.read_text())
    stranger = PrivateKey.generate()
    listed = InForce.read(content["list"].encode()).listed
    forged = listed.model_copy(update={"epoch": 7}).signed(content["issuer"], stranger)
    key = {**content["keys"][0], "jwk": {**stranger.public.jwk, "kid": content["keys"][0]["kid"]}}
    hostile_bundles: list[tuple[dict[str, Any], str]] = [
        ({"list": forged.decode()}, "is not to be believed"),
        ({"issuer": "https://other.example"}, "is not to be believed"),
        ({"keys": [key]}, "is not the thumbprint of the key"),
        ({"list": None}, "has no delegation list yet"),
    ]
    for number, (changed, why) in enumerate(hostile_bundles):
        hostile, out = tmp_path / f"{number}.json", tmp_path / f"{number}.jwt"
        hostile.write_text(json.dumps({**content, **changed}))
        done = trust("renew", "--from", str(hostile), "--out", str(out))
        assert done.code in (2, 6), why
        assert why in done.err
        assert not out.exists()


def test_another_root_signs_nothing(trust: Holder, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.touch(mode=0o600)
    other.write_bytes(PrivateKey.generate().pem())
    done = trust.cli("trust", "renew", "--root-key", str(other), "--yes")
    assert (done.code, "do not lead back to the pinned root" in done.err) == (6, True)


def test_sixty_days_before_the_expiry_everybody_says_so(trust: Holder) -> None:
    assert trust.show()["warning"] is None
    trust.does("renew", "--days", "59")
    shown = trust.cli("trust", "show")
    assert (shown.code, "expires in 58 days" in shown.out) == (0, True)
    assert "expires in 58 days" in trust.cli("status").out
    assert "expires in 58 days" in trust.cli("log", "verify").out
    trust.does("renew")
    assert trust.show()["warning"] is None
    assert "expires in" not in trust.cli("log", "verify").out


async def test_publish_sends_nothing_that_readers_would_refuse(
    trust: Holder, kafka: str, tmp_path: Path
) -> None:
    signed, late = tmp_path / "list.jwt", tmp_path / "late.jwt"
    trust.does("renew", "--out", str(signed))
    trust.does("renew", "--days", "30", "--out", str(late))
    first = trust.cli("trust", "publish", str(signed), "--kafka", "--yes", "--json")
    assert first.code == 0, first.err
    again = trust.cli("trust", "publish", str(signed), "--kafka", "--yes", "--json")
    assert (again.code, "offset" in again.data) == (0, False), "it is there already"
    second = trust.cli("trust", "publish", str(late), "--kafka", "--yes")
    assert (second.code, "a second list of the version in force" in second.err) == (6, True)
    stranger = PrivateKey.generate()
    forged = tmp_path / "forged.jwt"
    forged.write_bytes(
        InForce.read(late.read_bytes().strip()).listed.signed(trust.show()["issuer"], stranger)
    )
    refused = trust.cli("trust", "publish", str(forged), "--kafka", "--yes")
    assert (refused.code, "is not signed by its last root" in refused.err) == (6, True)
    unpinned = trust.isolated.having(REVOCAST_ISSUER=trust.show()["issuer"], REVOCAST_KAFKA=kafka)
    nobody = unpinned("trust", "publish", str(signed), "--kafka", "--yes")
    assert (nobody.code, "REVOCAST_ROOT" in nobody.err) == (2, True)
    trust.wait_for_issuer()


async def test_what_strangers_write_to_the_topic_does_not_become_the_list_in_force(
    trust: Holder, kafka: str
) -> None:
    before, stranger = trust.show("--kafka"), PrivateKey.generate()
    topic = Topics(trust.cli.environ["REVOCAST_PREFIX"]).keys
    listed = InForce.read(trust_list(trust)).listed
    forged = listed.model_copy(update={"version": 99}).signed(before["issuer"], stranger)
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for value in (forged, b"junk", None):
            await producer.send_and_wait(topic, value, key=b"delegations/99", partition=0)
    assert trust.show("--kafka")["version"] == before["version"]


def trust_list(trust: Holder) -> bytes:
    """The list in force, signed."""
    bundle = trust.folder / f"{secrets.token_hex(4)}.json"
    assert trust.cli("trust", "request", "--out", str(bundle)).code == 0
    return str(json.loads(bundle.read_text())["list"]).encode()


def test_distrust_is_for_token_keys_and_ends_again(trust: Holder) -> None:
    refused = trust("distrust", trust.kids("active")[0])
    assert (refused.code, "signs no tokens" in refused.err) == (2, True)
    assert trust("distrust").code == 2
    trust.does("distrust", "token-key")
    assert trust.show()["distrust"] == {"kids": ["token-key"], "issuer": False}
    assert trust("distrust", "--again", "other-key").code == 2
    trust.does("distrust", "--again", "token-key")
    assert trust.show()["distrust"] == {"kids": [], "issuer": False}


def test_the_distrust_of_the_issuer_ends_over_kafka_because_it_gives_no_token_meanwhile(
    trust: Holder,
) -> None:
    trust.does("distrust", "--issuer", "--kafka")
    assert trust.show("--kafka")["distrust"] == {"kids": [], "issuer": True}
    trust.does("distrust", "--issuer", "--again", "--kafka")
    trust.wait_for_issuer()


def test_a_snapshot_key_is_replaced_by_one_that_is_made_here(trust: Holder, tmp_path: Path) -> None:
    (old,) = trust.kids("delegated", "snapshot")
    path = tmp_path / "snapshot-2.pem"
    trust.does("delegate", "--new-snapshot-key", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    new = PrivateKey.from_pem(path.read_bytes()).kid
    assert set(trust.kids("delegated", "snapshot")) == {old, new}
    trust.does("retire", old)
    retired = next(key for key in trust.show()["keys"] if key["kid"] == old)
    assert retired["bound"]["n"] > 0


def test_a_compromised_event_key_is_dropped_and_the_re_issue_followed_to_its_end(trust: Holder) -> None:
    assert trust.cli("block", "subject", "mallory").code == 0
    (lost,) = trust.kids("active")
    epoch = trust.show()["epoch"]
    done = trust.does("compromised", lost)
    assert (done["epoch"], done["reissuing"], done["status"]) == (epoch + 1, False, "published")
    shown = trust.show()
    assert (shown["epoch"], shown["reissuing"]) == (epoch + 1, False)
    assert lost in trust.kids("compromised")
    assert trust.kids("active") == [done["active"]] != [lost]
    done = trust.does("new-epoch")
    assert (done["epoch"], trust.kids("active")) == (epoch + 2, [done["active"]])


def test_the_root_is_rotated_to_a_new_file_and_then_to_a_signer_in_another_process(
    trust: Holder, tmp_path: Path
) -> None:
    old, new = trust.root, tmp_path / "root-2.pem"
    rotated = trust.does("rotate-root", "--new-root-key", str(new))
    assert new.stat().st_mode & 0o777 == 0o600
    refused = trust("renew")
    assert (refused.code, f"has handed over to {rotated['root']}" in refused.err) == (6, True)
    trust.root = str(new)
    same = trust("rotate-root", "--new-root-key", old)
    assert (same.code, "is, or was, a root of this deployment" in same.err) == (2, True)
    with exec_signer.installed(tmp_path):
        program = exec_signer.program(tmp_path, PrivateKey.generate("ES256"))
        third = trust.does("rotate-root", "--new-root-key", program)["root"]
        trust.root = program
        trust.does("renew")
        assert trust.show()["roots"][-2:] == [rotated["root"], third]
        last = tmp_path / "root-4.pem"
        trust.does("rotate-root", "--new-root-key", str(last))
    trust.root = str(last)
    assert len(trust.show()["roots"]) == 4
    assert trust.show("--kafka")["roots"] == trust.show()["roots"]


def test_a_signer_that_signs_something_else_publishes_nothing(trust: Holder, tmp_path: Path) -> None:
    class Liar(exec_signer.ExecSigner):
        def __init__(self, uri: str) -> None:
            super().__init__(uri.removeprefix("exec:"))

        def sign(self, signing_input: bytes) -> bytes:
            return super().sign(signing_input + b"!")

    version = trust.show()["version"]
    root = PrivateKey.from_pem(Path(trust.root).read_bytes())
    with exec_signer.installed(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(exec_signer, "signer", Liar)
        done = trust.cli("trust", "renew", "--root-key", exec_signer.program(tmp_path, root), "--yes")
    assert (done.code, "no reader would take what was signed" in done.err) == (6, True)
    assert trust.show()["version"] == version


def test_an_expired_list_is_exit_code_1(trust: Holder, tmp_path: Path) -> None:
    root = PrivateKey.from_pem(Path(trust.root).read_bytes())
    past = int(time.time()) - 10
    successor = InForce.read(trust_list(trust)).renewed(past).model_copy(update={"expires_at": past})
    path = tmp_path / "expired.jwt"
    path.write_bytes(successor.signed(trust.show()["issuer"], root))
    done = trust.cli("trust", "show", "--from", str(path))
    assert done.code == 1
    assert done.out.startswith("the delegation list has expired")
    refused = trust.cli("trust", "publish", str(path), "--yes")
    assert (refused.code, "expired" in refused.err) == (6, True)
