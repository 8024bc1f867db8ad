"""README.md and the pages of docs/ keep their word: see `pages`."""

from pathlib import Path

import pytest
from pages import ROOT, Clone, Page, figures, make_clone, words

from lightcam_edge.cli import COMMANDS

README = Page("README.md")
PAGES = [README, *(Page(f"docs/{path.name}") for path in sorted((ROOT / "docs").glob("*.md")))]
LINES = [(page, number) for page in PAGES for number in range(len(page.commands))]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("clone"))


@pytest.mark.parametrize(
    ("page", "number"),
    LINES,
    ids=[f"{Path(page.path).stem}: {page.commands[number].line[:60]}" for page, number in LINES],
)
def test_a_pages_command_works_and_prints_what_is_shown(clone: Clone, page: Page, number: int) -> None:
    done, shown = clone.result(page, number), page.commands[number].output

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "does not provide the extra" not in done.stderr
    if shown is not None:
        assert words(done.stdout) == words(shown)
        assert figures(done.stdout) == pytest.approx(figures(shown), rel=0.1, abs=0.05), done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_shows_every_command(name: str) -> None:
    assert any(f"lightcam-edge {name} " in command.line for command in README.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_link_leads_somewhere(page: Page) -> None:
    assert page.dead_links() == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_block_is_run_or_shown_as_output(page: Page) -> None:
    assert page.oddities() == []


def test_every_page_is_linked_from_another() -> None:
    links = {link for page in PAGES for link in page.links()}

    assert [page.path for page in PAGES[1:] if page.path not in links] == []
