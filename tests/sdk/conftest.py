from collections.abc import Iterator

import pytest

from tests.sdk.well_known import WellKnown, well_known


@pytest.fixture
def issuer() -> Iterator[WellKnown]:
    """A real HTTP server in the issuer's place."""
    with well_known() as page:
        yield page
