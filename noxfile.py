"""The commands of this repository: `nox` runs what CI runs; `nox -l` lists all.

Plain pip is enough; where uv is installed it makes the environments faster.
"""

import hashlib
import json
import os
import shutil
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.stop_on_first_error = True  # so that the names of what failed are the last thing on the screen
# uv installs what nobody has compiled yet. The first process that imports a module keeps what it compiled, so that the
# hundreds that follow, and each worker of pytest, needn't compile it again. Some images of CI forbid that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
nox.options.sessions = ["lint", "audit", "wheels", "tests", "docs", "demo"]

ROOT = Path(__file__).parent
SERVICE = ROOT / "src" / "bakong_service"
DIST = ROOT / "dist"
RELEASE = ROOT / "release"
ADVISORIES = "https://pypi.org/pypi/attrs/24.2.0/json"  # where pip-audit asks, for a version that stays
PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """A dependency group's requirements, groups within it included: pip installs groups only from 25.1 on."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def editable(session: nox.Session, *groups: str) -> None:
    """Install both packages for editing, with the groups' requirements."""
    requirements = [requirement for name in groups for requirement in group(name)]
    session.install("-e", ".", "-e", "src/bakong_service", *requirements)


def build_wheels(session: nox.Session) -> dict[str, Path]:
    """The wheels by package name, built by way of their sdists into dist/, unless nothing changed since."""
    sources = [p for p in (ROOT / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    changed_at = max(p.stat().st_mtime for p in (*sources, ROOT / "pyproject.toml", ROOT / "README.md"))
    if not DIST.exists() or min((p.stat().st_mtime for p in DIST.iterdir()), default=0) < changed_at:
        shutil.rmtree(DIST, ignore_errors=True)
        for project in (ROOT, SERVICE):
            session.run("python", "-m", "build", "--no-isolation", "--outdir", str(DIST), str(project), silent=True)
    return {wheel.name.split("-")[0]: wheel for wheel in DIST.glob("*.whl")}


def runtime(session: nox.Session) -> str:
    """Return the Python of a new environment that has both wheels and what they depend on, and nothing else."""
    folder = Path(session.create_tmp()) / "runtime"
    session.run("python", "-m", "venv", "--clear", str(folder), silent=True)
    python = str(next(folder.glob("bin/python")))
    wheels = map(str, build_wheels(session).values())
    session.run(python, "-m", "pip", "install", "--quiet", *wheels, external=True)
    return python


def workers(session: nox.Session) -> list[str]:
    """Two workers by default, as CI has cores; `-n` on the command line says otherwise."""
    return [] if any(argument.startswith("-n") for argument in session.posargs) else ["-n", "2", "--dist", "worksteal"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and the direction of imports."""
    editable(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def audit(session: nox.Session) -> None:
    """Look for weaknesses: in our code with bandit, and known ones in what the wheels depend on with pip-audit."""
    session.install(*group("audit"))
    session.run("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "src")
    try:
        with urllib.request.urlopen(ADVISORIES, timeout=20) as answer:
            reached = "vulnerabilities" in json.load(answer)
    except (OSError, ValueError) as error:
        session.skip(f"bandit found nothing; pip-audit didn't run, because {ADVISORIES} can't be read: {error}")
    if not reached:
        session.skip(f"bandit found nothing; pip-audit didn't run, because {ADVISORIES} has no advisories")
    own = ("--exclude", "bakong-khqr-sdk", "--exclude", "bakong-service", "--exclude", "pip")
    frozen = session.run(runtime(session), "-m", "pip", "freeze", *own, silent=True, external=True)
    requirements = Path(session.create_tmp()) / "requirements.txt"
    requirements.write_text(str(frozen), encoding="utf-8")
    # Without the other two, pip-audit would install the requirements; `--strict` makes a version it can't look up fail.
    session.run("pip-audit", "--strict", "--disable-pip", "--no-deps", "--requirement", str(requirements))


@nox.session
def release(session: nox.Session) -> None:
    """Put what is published into release/: the wheels and sdists, the list of all their parts (SBOM), and checksums."""
    session.install(*group("release"))
    python = runtime(session)
    shutil.rmtree(RELEASE, ignore_errors=True)
    shutil.copytree(DIST, RELEASE)
    parts = RELEASE / "bakong-service.cdx.json"  # the service and all that it needs, so the SDK and its needs too
    project = ("--pyproject", str(SERVICE / "pyproject.toml"))
    shape = ("--output-format", "JSON", "--output-reproducible", "--output-file", str(parts))
    session.run("cyclonedx-py", "environment", *project, *shape, python)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in sorted(RELEASE.iterdir())]
    (RELEASE / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="utf-8")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build both wheels and look inside: each holds its own package, its types and its licence, and nothing else."""
    session.install(*group("wheels"))
    built = build_wheels(session)
    for package, wheel in (("bakong_khqr", built["bakong_khqr_sdk"]), ("bakong_service", built["bakong_service"])):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        strangers = [n for n in names if not n.startswith((f"{package}/", f"{wheel.name.split('-')[0]}-"))]
        missing = [n for n in (f"{package}/py.typed", f"{package}/__init__.py") if n not in names]
        licensed = any(n.endswith("licenses/LICENSE") for n in names)
        metadata = [
            n for n in names if n.startswith(f"{package}/") and n.endswith(("pyproject.toml", "PKG-INFO", ".gitignore"))
        ]
        if strangers or missing or metadata or not licensed:
            session.error(f"{wheel.name}: {strangers=} {missing=} {metadata=} {licensed=}")
        session.log(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.2f} MB")
        if wheel.stat().st_size > 2_000_000:
            session.error(f"{wheel.name} is over 2 MB")
    for sdist in DIST.glob("*.tar.gz"):
        with tarfile.open(sdist) as archive:
            if any("/tests/" in name or "/.git/" in name for name in archive.getnames()):
                session.error(f"{sdist.name} holds more than its package")
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))


@nox.session
@nox.parametrize("part", ["sdk", "service"])
def tests(session: nox.Session, part: str) -> None:
    """Run the tests against the built wheels: the SDK's alone, then both, and put the coverage together."""
    session.install(*group("wheels"), *group(f"test-{part}"))
    built = build_wheels(session)
    chosen = [built["bakong_khqr_sdk"]] if part == "sdk" else list(built.values())
    session.install(*map(str, chosen))
    session.install("--force-reinstall", "--no-deps", *map(str, chosen))
    folders = ["tests/sdk"] if part == "sdk" else ["tests/end_to_end", "tests/service", "tests/docs"]
    # Coverage begins before pytest does: our own pytest plugin is loaded early. It follows workers and processes.
    measured = ("python", "-P", "-m", "coverage", "run", "-m", "pytest", "-m", "not slow")
    environment = {"COVERAGE_FILE": str(ROOT / f".coverage.{part}")}
    session.run(*measured, *workers(session), *session.posargs, *folders, env=environment)
    if part == "service":
        # The browser's own event loop stays open in its process, where no asynchronous test could follow. Nothing is
        # measured: tests/service/web/checkout asks for the same pages, and to follow the browser's driver costs much.
        unmeasured = ("python", "-P", "-m", "pytest", "-m", "not slow")
        session.run(*unmeasured, *workers(session), *session.posargs, "tests/checkout")
        session.run("coverage", "combine", silent=True)
        session.run("coverage", "report")
        judging = "*/bakong_service/domain/*,*/bakong_service/operations/*"  # no branch of these goes untested
        session.run("coverage", "report", f"--include={judging}", "--fail-under=100")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. `nox -s docs -- serve` shows it while you write."""
    editable(session, "docs")
    arguments = session.posargs or ["build", "--strict"]  # never with --quiet: `--strict` counts what the log shows
    session.run("mkdocs", *arguments, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def demo(session: nox.Session) -> None:
    """A payment from the QR to the signed webhook, on this machine alone: simulator, service, receiver."""
    editable(session)
    session.run("bakong-service", "demo", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Generate clients from docs/openapi.json and play a story with each; lint the document. Two minutes, with npm."""
    editable(session, "clients")
    folder = Path(session.create_tmp()).resolve()
    for command in (("@redocly/cli", "lint"), ("@stoplight/spectral-cli", "lint", "-r", str(ROOT / ".spectral.yaml"))):
        package, *rest = command
        session.chdir(folder)
        session.run("npx", "--yes", package, *rest, str(ROOT / "docs" / "openapi.json"), external=True)
    session.chdir(ROOT)
    session.run("python", "examples/clients/play.py", *session.posargs)


@nox.session
def schemathesis(session: nox.Session) -> None:
    """10,000 cases that Schemathesis makes from the document, on each database (SCHEMATHESIS_CASES)."""
    editable(session, "test-service")
    cases = session.env.get("SCHEMATHESIS_CASES") or "10000"
    arguments = ("-s", "--timeout=0", "tests/service/web/test_schemathesis.py", *session.posargs)
    session.run("pytest", *arguments, env={"SCHEMATHESIS_CASES": cases})


@nox.session
def fuzz(session: nox.Session) -> None:
    """The long forms of fuzzing and of the state machines; `-- -k hostile` picks some. Hours."""
    editable(session, "test-service")
    folders = ["tests/sdk", "tests/service"]
    session.run("pytest", "-m", "slow", *workers(session), "--timeout=0", *folders, *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """`kill -9` under load, 200 times on each database; KILLS says another number."""
    editable(session, "test-service")
    session.run("pytest", "-m", "slow", "--timeout=0", "tests/end_to_end", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure, side by side with peers: `nox -s benchmarks -- payloads`. Prints tables; asserts nothing."""
    editable(session, "test-service")
    for name in session.posargs or sorted(p.parent.name for p in (ROOT / "benchmarks").glob("*/run.py")):
        session.run("python", "-m", f"benchmarks.{name}.run")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure everything as ratios in one run, and keep the table in benchmarks/results/. Ten minutes."""
    editable(session, "test-service")
    session.run("python", "-m", "benchmarks.ratios.run", *session.posargs)


@nox.session
def siege(session: nox.Session) -> None:
    """Besiege a service with strangers and greedy keys, and measure what that leaves for others. Ten minutes."""
    editable(session, "test-service")
    session.run("pytest", "-m", "slow", "-s", "--timeout=0", "tests/service/web/test_siege.py", *session.posargs)
