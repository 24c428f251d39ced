"""Settings: default < `freehold.toml` < environment (`FREEHOLD_<SECTION>_<NAME>`) < flag.

Providers and per-task settings live in the file alone. Not covered: keys, which are never settings.
"""

from freehold.settings.catalogue import SETTINGS, TASK_SETTINGS
from freehold.settings.load import Settings, load_settings
from freehold.settings.providers import DEFAULT_PROVIDERS, ProviderSettings
from freehold.settings.setting import Setting, Value

__all__ = [
    "DEFAULT_PROVIDERS",
    "SETTINGS",
    "TASK_SETTINGS",
    "ProviderSettings",
    "Setting",
    "Settings",
    "Value",
    "load_settings",
]
