"""Which key a URI names, and which it refuses to."""

from pathlib import Path

import pytest

from revocast.schemas.errors import SignerError
from revocast.schemas.jose import PrivateKey
from revocast.schemas.signer_uri import is_encrypted, signer_of
from tests.schemas import exec_signer

_DATA = b"header.claims"


def written(folder: Path, pem: bytes, mode: int = 0o600) -> Path:
    path = folder / "root key.pem"
    path.write_bytes(pem)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("alg", ["EdDSA", "ES256", "RS256"])
@pytest.mark.parametrize("form", ["{path}", "file://{path}", "file:{path}", "file://localhost{path}"])
def test_a_file_is_named_by_its_path_or_its_uri(tmp_path: Path, alg: str, form: str) -> None:
    key = PrivateKey.generate(alg)
    path = str(written(tmp_path, key.pem()))
    uri = form.format(path=path.replace(" ", "%20") if "file:" in form else path)
    signer, public = signer_of(uri)
    assert (signer.kid, signer.alg, public.kid) == (key.kid, alg, key.kid)
    assert public.verify(_DATA, signer.sign(_DATA))


def test_an_encrypted_file_needs_its_pass_phrase(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    path = str(written(tmp_path, key.pem(b"open sesame")))
    assert is_encrypted(path)
    with pytest.raises(SignerError, match="is encrypted, and no pass phrase was given"):
        signer_of(path)
    with pytest.raises(SignerError, match="under this password") as raised:
        signer_of(path, b"open barley")
    assert "barley" not in str(raised.value)
    assert signer_of(path, b"open sesame")[1].kid == key.kid


def test_a_pass_phrase_is_no_error_where_none_is_needed(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    path = str(written(tmp_path, key.pem()))
    assert not is_encrypted(path)
    assert signer_of(path, b"of another key")[1].kid == key.kid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, PrivateKey.generate().pem(), mode)
    with pytest.raises(SignerError, match=f"{path}.*chmod 600"):
        signer_of(str(path))


def test_what_is_no_key_is_refused_by_name(tmp_path: Path) -> None:
    for content in (b"", b"junk", PrivateKey.generate().pem()[:60]):
        path = written(tmp_path, content)
        with pytest.raises(SignerError, match=str(path)):
            signer_of(str(path))
    with pytest.raises(SignerError, match=r"missing\.pem: cannot be read: No such file"):
        signer_of("missing.pem")
    for uri in ("file://elsewhere/root.pem", "file:///root.pem?encrypted=false"):
        with pytest.raises(SignerError, match="on this host"):
            signer_of(uri)


def test_an_unknown_scheme_names_those_that_are_installed(tmp_path: Path) -> None:
    with pytest.raises(SignerError, match="hsm: no signer of this scheme is installed; installed: file"):
        signer_of("hsm:slot=1")
    with exec_signer.installed(tmp_path), pytest.raises(SignerError, match="installed: file, exec"):
        signer_of("hsm:slot=1")


def test_an_installed_scheme_signs_with_a_key_that_never_enters_this_process(tmp_path: Path) -> None:
    key = PrivateKey.generate("ES256")
    with exec_signer.installed(tmp_path):
        signer, public = signer_of(exec_signer.program(tmp_path, key))
    assert (signer.kid, signer.alg, public.kid) == (key.kid, "ES256", key.kid)
    assert key.public.verify(_DATA, signer.sign(_DATA))


def test_an_installed_scheme_that_fails_is_named(tmp_path: Path) -> None:
    with exec_signer.installed(tmp_path), pytest.raises(SignerError, match=r"exec: .*nowhere"):
        signer_of("exec:/nowhere")


def test_a_kid_that_is_no_thumbprint_is_refused(tmp_path: Path) -> None:
    class Named(exec_signer.ExecSigner):
        def __init__(self, uri: str) -> None:
            super().__init__(uri.removeprefix("exec:"))
            self.kid = "my-root"

    with exec_signer.installed(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(exec_signer, "signer", Named)
        with pytest.raises(SignerError, match="is not the thumbprint"):
            signer_of(exec_signer.program(tmp_path, PrivateKey.generate()))
