"""Play the stories of the generated clients against a real service in test mode.

    python examples/clients/play.py              # all of them
    python examples/clients/play.py typescript   # one of them

Each client is generated from `docs/openapi.json` in a temporary folder. TypeScript needs node and npm, PHP needs
`php-cli` and `php-curl`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bakong_service.cli.stage import Stage

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "openapi.json"


def run(folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command of a story; it ends this program if the command fails."""
    subprocess.run(command, cwd=folder, env={**os.environ, **(environment or {})}, check=True)


def typescript(folder: Path, environment: Mapping[str, str]) -> None:
    """Generate with openapi-typescript, compile with `tsc --strict`, and play."""
    shutil.copytree(HERE / "typescript", folder, dirs_exist_ok=True)
    run(folder, "npm", "install", "--silent", "--no-audit", "--no-fund")
    run(folder, "npx", "openapi-typescript", str(DOCUMENT), "-o", "schema.d.ts")
    run(folder, "npm", "run", "--silent", "build")
    run(folder, "npm", "run", "--silent", "start", environment=environment)


def python(folder: Path, environment: Mapping[str, str]) -> None:
    """Generate with openapi-python-client, check with `mypy --strict`, and play."""
    client = folder / "bakong_service_client"
    command = ("generate", "--path", str(DOCUMENT), "--meta", "none", "--output-path", str(client), "--overwrite")
    run(folder, sys.executable, "-m", "openapi_python_client", *command)
    shutil.copy(HERE / "python" / "story.py", folder)
    run(folder, sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "story.py")
    run(folder, sys.executable, "story.py", environment=environment)


def php(folder: Path, environment: Mapping[str, str]) -> None:
    """Play: the client is one file, and nothing is generated."""
    run(folder, "php", str(HERE / "php" / "story.php"), environment=environment)


STORIES: dict[str, Callable[[Path, Mapping[str, str]], None]] = {
    "typescript": typescript,
    "python": python,
    "php": php,
}


def main(names: list[str]) -> None:
    """Start the simulator and the service, and play the stories."""
    with tempfile.TemporaryDirectory(prefix="clients-") as folder, Stage(Path(folder)) as stage:
        stage.start_simulator()
        environment = {"SERVICE_URL": stage.start_service().url, "API_KEY": stage.api_key}
        for name in names or STORIES:
            sys.stdout.write(f"== {name}\n")
            sys.stdout.flush()
            (Path(folder) / name).mkdir()
            STORIES[name](Path(folder) / name, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
