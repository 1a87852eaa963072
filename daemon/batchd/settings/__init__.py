"""Every setting, as one frozen value, and where its parts come from."""

from batchd.settings.agreement import drift, to_agree_on
from batchd.settings.api_key import find_api_key, key_in
from batchd.settings.loading import CONFIG_VARIABLE, default_config_file, load_places, load_settings, settings_file
from batchd.settings.page import Page
from batchd.settings.tables import (
    Api,
    Fleet,
    Intake,
    Key,
    ModelOverride,
    Notify,
    Packing,
    Poll,
    Setting,
    Settings,
    Sink,
    describe,
)

__all__ = [
    "CONFIG_VARIABLE",
    "Api",
    "Fleet",
    "Intake",
    "Key",
    "ModelOverride",
    "Notify",
    "Packing",
    "Page",
    "Poll",
    "Setting",
    "Settings",
    "Sink",
    "default_config_file",
    "describe",
    "drift",
    "find_api_key",
    "key_in",
    "load_places",
    "load_settings",
    "settings_file",
    "to_agree_on",
]
