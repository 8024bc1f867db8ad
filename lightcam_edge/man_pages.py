"""Manual pages of the command line, from what click knows of it.

click-man makes such pages too, but wants Python 3.11, sees no command that is
imported when it is called, and takes a line that begins with an apostrophe for
a request to troff. On a board it would also be one more package.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import click

from lightcam_edge import __version__

SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "~": "\\(ti", "^": "\\(ha"}
EXIT_STATUS = (
    ("0", "all done"),
    ("1", "some inputs failed; the others went on"),
    ("2", "wrong usage"),
    ("3", "a bad model file or a missing runtime"),
)


@runtime_checkable
class Parent(Protocol):
    """A command that is no group and still has others behind its name."""

    @property
    def subcommands(self) -> Mapping[str, click.Command]:
        """They, by name."""
        ...


def man_pages(command: click.Command, name: str) -> dict[str, str]:
    """Write the page of a command and of each command below it.

    Args:
        command: the topmost.
        name: what it is called by.

    Returns:
        Pages in troff, by file name.
    """
    contexts = list(_contexts(click.Context(command, info_name=name, **command.context_settings)))
    names = [_page_name(context) for context in contexts]
    return {f"{page}.1": _page(context, names) for page, context in zip(names, contexts, strict=True)}


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    grouped = isinstance(context.command, click.Group)
    for name, command in _below(context).items():
        info, parent = (name, context) if grouped else (f"{context.info_name} {name}", context.parent)
        yield from _contexts(click.Context(command, parent, info, **command.context_settings))


def _below(context: click.Context) -> Mapping[str, click.Command]:
    command = context.command
    if isinstance(command, Parent):
        return command.subcommands
    if not isinstance(command, click.Group):
        return {}
    found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return {name: below for name, below in found.items() if below is not None and not below.hidden}


def _page_name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context, all_pages: list[str]) -> str:
    name, command = _page_name(context), context.command
    first, *paragraphs = _paragraphs(command)
    usage = " ".join(command.collect_usage_pieces(context))
    params = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    options = [record for param in params if (record := param.get_help_record(context))]
    below = [(f"{_page_name(context)}-{key}", one) for key, one in _below(context).items()]
    lines = [
        f'.TH "{_escaped(name.upper())}" "1" "" "lightcam\\-edge {__version__}" "User Commands"',
        ".nh",
        ".ad l",
        *_section("NAME", f"{_escaped(name)} \\- {_escaped(first.rstrip('.'))}"),
        *_section("SYNOPSIS", f".B {_escaped(context.command_path)}", _escaped(usage)),
        *_section("DESCRIPTION", *_flow([first, *paragraphs])),
        *_section("OPTIONS", *_terms((_bold_names(names), _escaped(text)) for names, text in options)),
    ]
    if below:
        rows = ((f"\\fB{_escaped(page)}\\fR(1)", _escaped(_paragraphs(one)[0])) for page, one in below)
        lines += _section("COMMANDS", *_terms(rows))
    if context.parent is None:
        lines += _section("EXIT STATUS", *_terms((code, _escaped(text)) for code, text in EXIT_STATUS))
    others = ", ".join(f"\\fB{_escaped(page)}\\fR(1)" for page in sorted(all_pages) if page != name)
    return "\n".join([*lines, *_section("SEE ALSO", others)]) + "\n"


def _paragraphs(command: click.Command) -> list[str]:
    text = inspect.cleandoc(command.help or command.short_help or "").partition("\f")[0].strip()
    return text.split("\n\n")


def _section(title: str, *lines: str) -> list[str]:
    return [f".SH {title}", *lines]


def _flow(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs to be filled, but those that click too leaves as they are."""
    for paragraph in paragraphs:
        lines = [_escaped(line) for line in paragraph.splitlines()]
        yield ".PP"
        yield from [".nf", *lines[1:], ".fi"] if paragraph.startswith("\b") else lines


def _terms(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield from (".TP", term, text)


def _bold_names(names: str) -> str:
    """Take `-o, --out DIR` to bold options and an italic value."""
    words = (word if word == "/" else _with_face(word) for word in names.split())
    return " ".join(words)


def _with_face(word: str) -> str:
    bare = word.rstrip(",;")
    face = "B" if bare.startswith("-") else "I"
    return f"\\f{face}{_escaped(bare)}\\fR{word[len(bare) :]}"


def _escaped(text: str) -> str:
    """Text that troff prints as it is; a line must not begin with a request."""
    line = "".join(SPECIAL.get(character, character) for character in text)
    return f"\\&{line}" if line.startswith(".") else line
