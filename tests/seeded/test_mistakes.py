"""Each deliberate mistake in a copy of the source is caught by the test that names it; without it the test passes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seeded.mistakes import MISTAKES, Mistake

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"a sorted threshold is off by one", "those who follow a segment are not decided about"}


def copied(place: Path) -> Path:
    """Copy the source to where a mistake can be made in it, with what it was compiled to: little of it changes."""
    half_written = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(ROOT / "src" / "rapport", place / "src" / "rapport", ignore=half_written)
    shutil.copytree(ROOT / "migrations", place / "migrations", ignore=half_written)
    return place / "src"


def make(mistake: Mistake, source: Path) -> None:
    """Make a mistake in a copy of the source."""
    for change in mistake.changes:
        path = source / "rapport" / change.file
        text = path.read_text()
        times = text.count(change.old)
        assert times == 1, f"{change.file} has {times} times what the mistake would replace:\n{change.old}"
        path.write_text(text.replace(change.old, change.new))


def run(source: Path, tests: list[str], postgres: str) -> tuple[int, str]:
    """Run tests against a copy of the source; return the exit code of pytest and its report."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAPPORT_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(source)}
    probe = [sys.executable, "-c", "import rapport; print(rapport.__file__)"]
    used = subprocess.run(probe, env=environment, capture_output=True, text=True, check=True).stdout
    assert used.startswith(str(source)), used
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--postgres", postgres, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--postgres"))


@pytest.mark.parametrize(
    "mistake",
    [pytest.param(one, id=one.name, marks=() if one.name in QUICK else pytest.mark.soak) for one in MISTAKES],
)
def test_a_mistake_is_caught(mistake: Mistake, tmp_path: Path, postgres: str) -> None:
    source = copied(tmp_path)
    make(mistake, source)
    code, report = run(source, list(mistake.tests), postgres)
    assert code == pytest.ExitCode.TESTS_FAILED, f"nobody noticed that {mistake.name}:\n{report}"
    summary = report.strip().splitlines()[-1]
    assert re.search(rf"\b{len(mistake.tests)} failed", summary), f"not every one of the tests noticed:\n{report}"
    assert "error" not in summary, report


def test_without_a_mistake_the_same_tests_pass(tmp_path: Path, postgres: str) -> None:
    wanted = MISTAKES if os.environ.get("RAPPORT_SOAK") else [one for one in MISTAKES if one.name in QUICK]
    assert len({one.name for one in MISTAKES}) == len(MISTAKES) >= 10
    code, report = run(copied(tmp_path), sorted({test for one in wanted for test in one.tests}), postgres)
    assert code == pytest.ExitCode.OK, report
