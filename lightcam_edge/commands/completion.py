"""`lightcam-edge completion`: complete commands, options and model names in a shell."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    r"""Print what makes SHELL complete commands, options and the names of models.

    \b
    bash  lightcam-edge completion bash > ~/.local/share/bash-completion/completions/lightcam-edge
    zsh   lightcam-edge completion zsh > a folder of $fpath, as _lightcam-edge
    fish  lightcam-edge completion fish > ~/.config/fish/completions/lightcam-edge.fish

    bash needs its package bash-completion, and 4.4 or newer.
    """
    from lightcam_edge.cli import NAME, group

    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"click knows no {shell}")
    variable = f"_{NAME.replace('-', '_').upper()}_COMPLETE"
    click.echo(kind(group, {}, NAME, variable).source())
