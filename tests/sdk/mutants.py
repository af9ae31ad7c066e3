"""Copies of a module with one mistake in them: to see that a test notices it, every time the test runs.

What a mistake replaces must stand there exactly once, so a mutant whose module has moved on says so.
"""

from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["code_of", "mutant"]


def mutant(module: ModuleType, *mistakes: tuple[str, str]) -> ModuleType:
    """The module with each first text replaced by the second one. Its code still says that it is of the module's file."""
    assert module.__file__ is not None
    source = Path(module.__file__).read_text()
    for right, wrong in mistakes:
        assert source.count(right) == 1, f"the mutant no longer fits {module.__name__}: {right}"
        source = source.replace(right, wrong)
    copy = ModuleType(module.__name__)
    copy.__file__ = module.__file__
    exec(compile(source, module.__file__, "exec"), copy.__dict__)  # noqa: S102
    return copy


def code_of(module: ModuleType) -> set[CodeType]:
    """The code of the module's own functions and methods."""
    found: set[CodeType] = set()
    for value in vars(module).values():
        members: list[Any] = [value]
        if isinstance(value, type) and value.__module__ == module.__name__:
            members = [
                each.fget if isinstance(each, property) else getattr(each, "__func__", each)
                for each in vars(value).values()
            ]
        found |= {
            each.__code__
            for each in members
            if isinstance(each, FunctionType) and each.__module__ == module.__name__
        }
    return found
