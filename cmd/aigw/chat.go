package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"aigw/models"

	"github.com/urfave/cli/v2"
)

// mostQuestion bounds one line of a conversation, in bytes.
const mostQuestion = 1 << 20

func chatCommand() *cli.Command {
	return &cli.Command{
		Name:  "chat",
		Usage: "hold a conversation with a model in the terminal",
		Description: "Each line is a message. /clear forgets the conversation, the end of the input ends it. If the\n" +
			"conversation is longer than the model's context, its oldest messages are left out.\n\n" +
			"Examples:\n" +
			"  aigw chat --model mistral.gguf\n" +
			"  echo 'What is a mutex?' | aigw chat --model mistral.gguf --temperature 0\n" +
			"  aigw chat --url http://127.0.0.1:5052 --key test.pem    # as GitLab Duo Chat, with the gateway's documentation",
		Flags: append(append(answerFlags(), remoteFlags()...),
			&cli.StringFlag{Name: "system", Usage: "`TEXT` that tells the model how to behave"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("messages are read from the input; see aigw chat --help")
			}
			if r, err := askedRemote(c); err != nil {
				return err
			} else if r != nil {
				for _, name := range []string{"system", "max-tokens", "temperature"} {
					if c.IsSet(name) {
						return usagef("--%s is the gateway's own with --url", name)
					}
				}
				return converse(c, c.App.Reader, nil, func(messages []models.Message, emit func(string) error) error {
					return r.chat(c.Context, messages, emit)
				})
			}
			m, err := loadForAnswers(c)
			if err != nil {
				return err
			}
			defer m.close()
			var rules []models.Message
			if text := c.String("system"); text != "" {
				rules = []models.Message{{Role: models.System, Content: text}}
			}
			return converse(c, c.App.Reader, rules, func(messages []models.Message, emit func(string) error) error {
				return m.answer(c.Context, c, messages, withoutOldest(len(rules)), emit)
			})
		},
	}
}

// converse answers line after line. A conversation begins with the rules.
func converse(c *cli.Context, in io.Reader, rules []models.Message, reply func(messages []models.Message, emit func(string) error) error) error {
	conversation := rules
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostQuestion)
	for {
		if isTerminal(c.App.Writer) {
			fmt.Fprint(c.App.Writer, "\n> ")
		}
		if !lines.Scan() {
			break
		}
		switch text := strings.TrimSpace(lines.Text()); text {
		case "":
		case "/clear":
			conversation = rules
		default:
			conversation = append(conversation, models.Message{Role: models.User, Content: text})
			var answer strings.Builder
			err := reply(conversation, func(piece string) error {
				answer.WriteString(piece)
				_, err := io.WriteString(c.App.Writer, piece)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(c.App.Writer)
			conversation = append(conversation, models.Message{Role: models.Assistant, Content: answer.String()})
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("a message is longer than %d bytes; send it in parts", mostQuestion)
	} else if err != nil {
		return fmt.Errorf("read the next message: %w", err)
	}
	return nil
}

// withoutOldest leaves the oldest question and its answer out, but neither the rules in front nor the last question.
func withoutOldest(rules int) func([]models.Message) ([]models.Message, bool) {
	return func(all []models.Message) ([]models.Message, bool) {
		if len(all) < rules+3 {
			return nil, false
		}
		return append(all[:rules], all[rules+2:]...), true
	}
}
