"""What a shell offers for an argument; it asks at every press of Tab, so nothing heavy is imported."""

import zipfile

import click
from click.shell_completion import CompletionItem

from lightcam_edge.catalogue import DEFAULT_MODEL, bundled_models


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, by the shell's own means."""
    return [CompletionItem(incomplete, type="file")]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and, behind them because bash forgets what it was told before, names of bundled models."""
    names = [CompletionItem(name) for name in bundled_models() if name.startswith(incomplete)]
    return [*files(ctx, param, incomplete), *names]


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Classes of the model that the line names, or of the default one."""
    model = ctx.params.get("model") or DEFAULT_MODEL
    try:
        with zipfile.ZipFile(bundled_models().get(model, model)) as archive:
            names = archive.read("labels.txt").decode().splitlines()
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
