"""Completion: scripts for bash, zsh and fish, made from the parsers; and the names that those scripts ask for."""

from __future__ import annotations

import os
import re
import string
from itertools import pairwise

from chargerd.ctl.commands import REGISTRY
from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.errors import DONE, Failure, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from chargerd.ctl.commands.base import Call

GLOBAL = ("--color",)  # options of every command that take one of a few words
ASKED = ("loadpoints", "devices", "entries", "settings", "modes")

_BASH = """\
# bash completion for chargerctl; made by: chargerctl completion bash
_chargerctl_names() {
    chargerctl --complete "$1" ${2:+--socket "$2"} 2>/dev/null
}

_chargerctl() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" socket="" place=0 i word
    local options="$globals" values="" kind="" found=""
    local -a kinds=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        case "$word" in
            --socket) ((++i)); socket="${COMP_WORDS[i]}" ;;
            $valued) ((++i)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command="$word"
                elif [[ " $groups " == *" $command "* ]]; then command="$command $word"
                else ((++place)); fi ;;
        esac
    done
    case "$command" in
$cases
    esac
    case "$command $prev" in
$choices
        *" --socket") COMPREPLY=($(compgen -d -- "$cur")); return ;;
        *" --config") COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    if [[ -n $values ]]; then found="$values"
    elif [[ $cur == -* ]]; then found="$options"
    else
        ((place >= ${#kinds[@]} && ${#kinds[@]} > 0)) && place=$((${#kinds[@]} - 1))
        kind="${kinds[place]}"
        case "$kind" in
            $asked) found="$(_chargerctl_names "$kind" "$socket")" ;;
            *) found="$kind" ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$found" -- "$cur"))
}
complete -F _chargerctl chargerctl
"""

_ZSH = """\
#compdef chargerctl
# zsh completion for chargerctl; made by: chargerctl completion zsh
_chargerctl() {
    local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}" command="" socket="" i word
    local options="$globals" values="" kind="" found=""
    local -i place=0
    local -a kinds=()
    for ((i = 2; i < CURRENT; i++)); do
        word="${words[i]}"
        case "$word" in
            --socket) ((++i)); socket="${words[i]}" ;;
            $valued) ((++i)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command="$word"
                elif [[ " $groups " == *" $command "* ]]; then command="$command $word"
                else ((++place)); fi ;;
        esac
    done
    case "$command" in
$cases
    esac
    case "$command $prev" in
$choices
        *" --socket"|*" --config") _files; return ;;
    esac
    if [[ -n $values ]]; then found="$values"
    elif [[ $cur == -* ]]; then found="$options"
    else
        ((place >= ${#kinds} && ${#kinds} > 0)) && place=$((${#kinds} - 1))
        kind="${kinds[place+1]}"
        case "$kind" in
            $asked) found="$(chargerctl --complete "$kind" ${socket:+--socket} ${socket:+"$socket"} 2>/dev/null)" ;;
            *) found="$kind" ;;
        esac
    fi
    compadd -- ${=found}
}
if [[ $funcstack[1] == _chargerctl ]]; then  # zsh has loaded this file as that function, for its first use
    _chargerctl "$@"
else
    compdef _chargerctl chargerctl
fi
"""


class _Template(string.Template):
    """Only our own names are filled in; the shell's stay."""

    idpattern = "globals|valued|groups|cases|choices|asked"
    flags = re.NOFLAG


def run(call: Call) -> int:
    """Print the script for a shell."""
    print_as = {"bash": lambda: _filled(_BASH), "zsh": lambda: _filled(_ZSH), "fish": _fish}
    call.output.text(print_as[call.arguments.shell]().rstrip())
    return DONE


def complete(words: Sequence[str]) -> int:
    """Print names of a kind, one a line; nothing if the daemon does not answer."""
    from chargerd.ctl.client import Client
    from chargerd.ctl.options import DIRECTORY
    from chargerd.ctl.output import Output

    given = dict(pairwise(words))
    what = given.get("--complete", "")
    directory = given.get("--socket") or os.environ.get("CHARGERCTL_SOCKET") or DIRECTORY
    if what not in ASKED:
        raise usage(f"--complete takes one of {', '.join(ASKED)}")
    try:
        names = Client(directory, patience_s=0.0).ask("Complete", what=what)["names"]
    except (Failure, KeyError):
        return DONE
    Output("plain").text("\n".join(name for name in names if isinstance(name, str) and name.isprintable()))
    return DONE


def _parsers() -> dict[str, argparse.ArgumentParser]:
    from chargerd.ctl.catalogue import load, parser_of

    return {name: parser_of(name, load(name)) for name in REGISTRY}


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options of a parser."""
    return [action for action in parser._actions if action.option_strings]


def kinds_of(parser: argparse.ArgumentParser) -> list[str]:
    """What completes each argument: a kind of name, or words."""
    kinds: list[str] = []
    for action in parser._actions:
        if not action.option_strings:
            said = getattr(action, "completes", None) or " ".join(action.choices or ())
            kinds += [kind.strip() for kind in said.split(";")]
    return kinds


def _values_of(action: argparse.Action) -> str:
    return str(getattr(action, "completes", None) or " ".join(action.choices or ()))


def _filled(script: str) -> str:
    parsers = _parsers()
    firsts = list(dict.fromkeys(name.partition(" ")[0] for name in REGISTRY))
    groups = {first: [n.partition(" ")[2] for n in REGISTRY if n.startswith(f"{first} ")] for first in firsts}
    groups = {first: actions for first, actions in groups.items() if actions}
    cases = [f'        "") kinds=("{" ".join(firsts)}") ;;']
    cases += [f'        "{first}") kinds=("{" ".join(actions)}") ;;' for first, actions in groups.items()]
    choices: dict[str, None] = {}
    valued: set[str] = set()
    common: set[str] = set()
    for name, parser in parsers.items():
        words = [text for action in options_of(parser) for text in action.option_strings]
        common = (common & set(words)) or set(words)
        kinds = " ".join(f'"{kind}"' for kind in kinds_of(parser))
        cases.append(f'        "{name}") options="{" ".join(words)}"; kinds=({kinds}) ;;')
        for action in options_of(parser):
            if action.nargs != 0:
                valued |= set(action.option_strings) - {"--socket"}
            if action.nargs != 0 and _values_of(action):
                values = _values_of(action)
                for text in action.option_strings:
                    place = f'*" {text}"' if text in GLOBAL else f'"{name} {text}"'
                    choices[f'        {place}) values="{values}" ;;'] = None
    return _Template(script).safe_substitute(
        globals=" ".join(sorted(common)),
        valued="|".join(sorted(valued)),
        groups=" ".join(groups),
        cases="\n".join(cases),
        choices="\n".join(choices),
        asked="|".join(ASKED),
    )


def _fish() -> str:
    lines = [
        "# fish completion for chargerctl; made by: chargerctl completion fish",
        "complete -c chargerctl -f",
    ]
    for first in dict.fromkeys(name.partition(" ")[0] for name in REGISTRY):
        about = "; ".join(REGISTRY[name][2] for name in REGISTRY if name.partition(" ")[0] == first)
        lines.append(f"complete -c chargerctl -n __fish_use_subcommand -a {first} -d {_quoted(about)}")
    for name, parser in _parsers().items():
        first, _, action = name.partition(" ")
        seen = f"__fish_seen_subcommand_from {first}"
        if action:
            more = f"{seen}; and not __fish_seen_subcommand_from {action}"
            lines.append(f"complete -c chargerctl -n {_quoted(more)} -a {action} -d {_quoted(REGISTRY[name][2])}")
            seen += f"; and __fish_seen_subcommand_from {action}"
        for kind in dict.fromkeys(kinds_of(parser)):
            words = f"(chargerctl --complete {kind} 2>/dev/null)" if kind in ASKED else kind
            lines += [f"complete -c chargerctl -n {_quoted(seen)} -a {_quoted(words)}"] if words else []
        lines += [_fish_option(seen, option) for option in options_of(parser)]
    return "\n".join(lines)


def _fish_option(seen: str, option: argparse.Action) -> str:
    names = " ".join(f"-l {text[2:]}" if text.startswith("--") else f"-s {text[1:]}" for text in option.option_strings)
    value = "" if option.nargs == 0 else f" -x -a {_quoted(_values_of(option))}" if _values_of(option) else " -x"
    return f"complete -c chargerctl -n {_quoted(seen)} {names}{value} -d {_quoted(option.help or '')}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    completes(parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell"), "bash zsh fish")


COMMANDS = {
    "completion": Command(
        run,
        (
            "chargerctl completion bash > /etc/bash_completion.d/chargerctl",
            "chargerctl completion fish > ~/.config/fish/completions/chargerctl.fish",
        ),
        add,
        more="The script asks the daemon for names; without a daemon it completes commands and options only.",
    )
}
