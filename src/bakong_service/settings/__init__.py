"""Every knob of the service, read once from the environment.

`settings.py` is the table, `readers.py` turns a text into a value or says the rule, `source.py` finds the text,
`rules.py` holds what settings must be to one another, `secret.py` keeps secrets out of sight.
"""

from bakong_service.settings.secret import Secret
from bakong_service.settings.settings import Settings
from bakong_service.settings.source import Problem, SettingsError

__all__ = ["Problem", "Secret", "Settings", "SettingsError"]
