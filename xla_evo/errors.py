"""The exception hierarchy, re-exported from the lowering package where it is defined."""

from xla_evo_lowering.errors import (
    BackendError,
    CompileError,
    ConfigError,
    ParseError,
    ProgramError,
    RunError,
    StoreError,
    TargetError,
    XlaEvoError,
)

__all__ = [
    "BackendError",
    "CompileError",
    "ConfigError",
    "ParseError",
    "ProgramError",
    "RunError",
    "StoreError",
    "TargetError",
    "XlaEvoError",
]
