"""Every environment variable, by program, from the settings classes."""

import json

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from revocast.issuer.settings import IssuerSettings
from revocast.schemas.settings import Settings
from revocast.schemas.signer_uri import RootKeySettings
from revocast.sdk.settings import GuardSettings
from revocast.streams.settings import StreamsSettings

__all__ = ["settings_tables"]

_PAGE = """# Settings

Written from the code by `make docs`. Programs read the environment once, at start, and refuse to start on a wrong value,
naming the variable. With `_FILE` at its end a variable names a file that holds the value: the way to pass a secret.

{tables}"""


def settings_tables() -> str:
    """`docs/reference/settings.md`."""
    programs: dict[str, type[Settings]] = {
        "issuer": IssuerSettings,
        "streams": StreamsSettings,
        "Guard.from_env": GuardSettings,
        "revocast trust, revocast init --root-key": RootKeySettings,
    }
    return _PAGE.format(tables="\n".join(_table(title, settings) for title, settings in programs.items()))


def _table(title: str, settings: type[Settings]) -> str:
    rows = [
        f"| `{settings.ENV_PREFIX}{name.upper()}` | {_default(field)} | {(field.description or '').replace('|', '&#124;')} |"
        for name, field in settings.model_fields.items()
    ]
    return "\n".join([f"## {title}", "", "| variable | default | what |", "| --- | --- | --- |", *rows, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=False)
    if default in (None, "", PydanticUndefined) or isinstance(default, SecretStr):
        return ""
    return f"`{json.dumps(default, default=str)}`".replace('"', "")
