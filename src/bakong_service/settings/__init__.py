"""The settings of the service, read once from the environment.

`settings.py` is the table. `source.py` finds the text of a setting, and `readers.py` turns the text into a value or
raises the rule. `database_url.py` reads DATABASE_URL. `rules.py` has the rules between settings, and `secret.py` hides
secrets. `written.py` writes a file of settings.
"""

from bakong_service.settings.secret import Secret
from bakong_service.settings.settings import Settings
from bakong_service.settings.source import Problem, SettingsError

__all__ = ["Problem", "Secret", "Settings", "SettingsError"]
