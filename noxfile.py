"""The commands of this repository: `nox` runs what CI runs; `nox -l` lists all.

Plain pip is enough; where uv is installed it makes the environments faster.
"""

import shutil
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "wheels", "tests", "docs", "demo"]

ROOT = Path(__file__).parent
SERVICE = ROOT / "src" / "bakong_service"
DIST = ROOT / "dist"
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
        session.run("coverage", "combine", silent=True)
        session.run("coverage", "report")
        judging = "*/bakong_service/domain/*,*/bakong_service/operations/*"  # no branch of these goes untested
        session.run("coverage", "report", f"--include={judging}", "--fail-under=100")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. `nox -s docs -- serve` shows it while you write."""
    editable(session, "docs")
    arguments = session.posargs or ["build", "--strict", "--quiet"]
    session.run("mkdocs", *arguments, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def demo(session: nox.Session) -> None:
    """A payment from the QR to the signed webhook, on this machine alone: simulator, service, receiver."""
    editable(session)
    session.run("bakong-service", "demo", *session.posargs)


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
    for name in session.posargs or sorted(p.name for p in (ROOT / "benchmarks").iterdir() if p.is_dir()):
        session.run("python", f"benchmarks/{name}/run.py", env={"PYTHONPATH": str(ROOT / "benchmarks")})
