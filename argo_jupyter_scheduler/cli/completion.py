"""``completion``: scripts with which a shell completes commands, options and paths."""

from __future__ import annotations

from collections.abc import Mapping

from argo_jupyter_scheduler.cli.arguments import WrongArguments
from argo_jupyter_scheduler.cli.command import SchedulerCommand

PROGRAM = "jupyter-argo-scheduler"

BASH = """\
_jupyter_argo_scheduler() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" first=1
    if [ "${{COMP_WORDS[0]##*/}}" = jupyter ]; then
        [ "${{COMP_WORDS[1]}}" = argo-scheduler ] || return 0
        first=2
    fi
    if [ "$COMP_CWORD" -le "$first" ]; then
        [ "$COMP_CWORD" -lt "$first" ] || COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return 0
    fi
    case "$word" in -*) ;; *) return 0 ;; esac
    case "${{COMP_WORDS[$first]}}" in
{cases}
    esac
}}
complete -o default -F _jupyter_argo_scheduler {program}
complete -p jupyter >/dev/null 2>&1 || complete -o default -F _jupyter_argo_scheduler jupyter
"""
BASH_CASE = '        {command}) COMPREPLY=($(compgen -W "{options}" -- "$word")) ;;'

ZSH = """\
#compdef {program}
_jupyter_argo_scheduler() {{
    local first=2
    if [[ ${{words[1]:t}} == jupyter ]]; then
        if [[ ${{words[2]}} != argo-scheduler ]]; then _files; return; fi
        first=3
    fi
    if (( CURRENT == first )); then
        compadd -- {commands}
        return
    fi
    if [[ ${{words[CURRENT]}} != -* ]]; then _files; return; fi
    case ${{words[$first]}} in
{cases}
    esac
}}
compdef _jupyter_argo_scheduler {program}
(( ${{+_comps[jupyter]}} )) || compdef _jupyter_argo_scheduler jupyter
"""
ZSH_CASE = "        {command}) compadd -- {options} ;;"

FISH_PROGRAMS = {PROGRAM: "", "jupyter": "__fish_seen_subcommand_from argo-scheduler; and "}
"""The condition for a line of each program to be one of ours."""


class CompletionCommand(SchedulerCommand):
    """Prints a shell's completion script."""

    name = "jupyter argo-scheduler completion"
    description = """Print a shell script that completes commands, options and paths.

    jupyter argo-scheduler completion bash|zsh|fish [options]
    """
    examples = "\n".join(
        (
            'eval "$(jupyter argo-scheduler completion bash)"    # in ~/.bashrc',
            'eval "$(jupyter argo-scheduler completion zsh)"     # in ~/.zshrc, after compinit',
            "jupyter argo-scheduler completion fish | source     # in ~/.config/fish/config.fish",
        )
    )
    operands = ("bash|zsh|fish",)

    def execute(self) -> int:
        """Print the script; return 0.

        Raises
        ------
        WrongArguments
            The shell is not bash, zsh or fish.
        """
        print(render_script(self.extra_args[0], options_of_commands()), end="")
        return 0


def options_of_commands() -> dict[str, list[str]]:
    """Return the options of each sub-command."""
    from argo_jupyter_scheduler.cli.app import ArgoSchedulerApp

    found = {}
    for command, (make, _) in ArgoSchedulerApp.subcommands.items():
        made = make(None)
        keys = [*made.aliases, *made.flags, "help", "version"]
        names = sorted({name for key in keys for name in (key if isinstance(key, tuple) else (key,))})
        found[command] = [f"--{name}" if len(name) > 1 else f"-{name}" for name in names]
    return found


def render_script(shell: str, options: Mapping[str, list[str]]) -> str:
    """Return a completion script.

    Parameters
    ----------
    shell
        ``bash``, ``zsh`` or ``fish``.
    options
        Of each sub-command.

    Raises
    ------
    WrongArguments
        The shell is not bash, zsh or fish.
    """
    commands = " ".join(options)
    if shell == "fish":
        return _render_fish(options)
    if shell not in ("bash", "zsh"):
        raise WrongArguments(f"No completion script for '{shell}'. Available: bash, zsh, fish.")
    script, case = (BASH, BASH_CASE) if shell == "bash" else (ZSH, ZSH_CASE)
    cases = "\n".join(case.format(command=name, options=" ".join(names)) for name, names in options.items())
    return script.format(program=PROGRAM, commands=commands, cases=cases)


def _render_fish(options: Mapping[str, list[str]]) -> str:
    commands = " ".join(options)
    lines = []
    for program, condition in FISH_PROGRAMS.items():
        begin = f"complete -c {program} -n '{condition}"
        lines.append(f"{begin}not __fish_seen_subcommand_from {commands}' -f -a '{commands}'")
        for command, names in options.items():
            for name in names:
                kind = "-l" if name.startswith("--") else "-s"
                lines.append(f"{begin}__fish_seen_subcommand_from {command}' {kind} {name.lstrip('-')}")
    return "\n".join(lines) + "\n"
