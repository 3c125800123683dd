package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that lets a shell complete aigw's commands and flags",
		ArgsUsage: "bash|zsh|fish",
		Description: "Examples:\n" +
			"  aigw completion bash >/etc/bash_completion.d/aigw\n" +
			"  source <(aigw completion zsh)\n" +
			"  aigw completion fish >~/.config/fish/completions/aigw.fish",
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("one of bash, zsh and fish is expected")
			}
			var text string
			switch shell := c.Args().First(); shell {
			case "bash":
				text = bashCompletion
			case "zsh":
				text = zshCompletion
			case "fish":
				var err error
				if text, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
			default:
				return usagef("%q: bash, zsh or fish is expected", shell)
			}
			_, err := fmt.Fprint(c.App.Writer, text)
			return err
		},
	}
}

// manCommand prints what packages install as aigw(1).
func manCommand() *cli.Command {
	return &cli.Command{
		Name:         "man",
		Usage:        "print the manual page, for man -l -",
		Description:  "Examples:\n  aigw man | man -l -\n  aigw man >/usr/local/share/man/man1/aigw.1",
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			text, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, text)
			return err
		},
	}
}

// Both shells ask the program itself for what may come next, with --generate-bash-completion last.
const bashCompletion = `# bash completion for aigw
_aigw() {
	local words
	COMPREPLY=()
	if [[ "${COMP_WORDS[COMP_CWORD]}" == -* ]]; then
		words=$("${COMP_WORDS[@]:0:COMP_CWORD}" "${COMP_WORDS[COMP_CWORD]}" --generate-bash-completion 2>/dev/null)
	else
		words=$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o bashdefault -o default -F _aigw aigw
`

const zshCompletion = `#compdef aigw
_aigw() {
	local -a words_of
	words_of=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 ${words[@]:0:#words[@]-1} --generate-bash-completion 2>/dev/null)}")
	if [[ -n "${words_of[1]}" ]]; then
		_describe 'values' words_of
	else
		_files
	fi
}
compdef _aigw aigw
`
