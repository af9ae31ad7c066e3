"""Opening an authority that `revocast init` made: its database, brought to this version, and what opens its private keys."""

from revocast.issuer.errors import NotInitialized
from revocast.issuer.keystore import KeyStore
from revocast.issuer.settings import IssuerSettings
from revocast.issuer.storage import Storage
from revocast.issuer.storage.signing_keys import event_key, event_keys, find_newest_document
from revocast.schemas.delegations import DelegationList

__all__ = ["opened"]


def opened(settings: IssuerSettings) -> tuple[Storage, KeyStore]:
    """Database and key store. Raises `NotInitialized`, saying what to do, or `StorageUnavailable`."""
    storage = Storage(settings.database)
    if not storage.is_postgresql and not storage.sqlite_file.exists():
        raise NotInitialized(
            f"{storage.sqlite_file}: no such database; set REVOCAST_HOME or run `revocast init`"
        )
    keystore = settings.key_store()
    storage.migrate()
    with storage.read() as session:
        if find_newest_document(session, DelegationList.TYPE) is None:
            event_key(session)  # says how the first one comes
        for key in event_keys(session):
            keystore.signer(key.kid, key.handle)  # now, not at the first revocation
    return storage, keystore
