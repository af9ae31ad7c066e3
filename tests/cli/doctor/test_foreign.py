"""What the doctor says of other issuers' key sets."""

from revocast.cli.doctor.finding import Verdict
from revocast.cli.doctor.foreign import examine_foreign
from revocast.sdk.settings import GuardSettings


async def test_what_a_url_has_behind_its_path_is_not_shown() -> None:
    settings = GuardSettings.from_env(
        {
            "REVOCAST_ISSUER": "https://issuer.test",
            "REVOCAST_AUDIENCE": "orders",
            "REVOCAST_KAFKA": "127.0.0.1:1",
            "REVOCAST_JWKS": "https://idp.test=http://127.0.0.1:1/jwks?key=s3cret",
        }
    )
    (finding,) = [each async for each in examine_foreign(settings)]
    assert finding.verdict is Verdict.FAIL
    assert "http://127.0.0.1:1/jwks?…: it cannot be reached" in finding.says
    assert "s3cret" not in finding.says + finding.mend
