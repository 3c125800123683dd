package grammar

import "fmt"

// The longest thought and the longest action input, in characters. They are bounded so that a turn is
// complete before its tokens run out: a small model that has begun to repeat itself does not stop.
// A thought of GitLab's examples has about 100 characters.
const (
	maxThought = 300
	maxInput   = 300
)

// React is the grammar of an agent's turn behind "Thought:" (section 9.5 of GitLab's wire contract):
//
//	 I need the issue.              I can answer this myself.
//	Action: issue_reader            Action: DirectAnswer
//	Action Input: Who is @sam?      Final Answer: Hello!
//
// tools are the names of those on offer; without any, a turn is an answer. The line with DirectAnswer
// may be missing. The answer is free text. Thought and input are one line each, and hold nothing that
// a parser would take for a mark: no colon behind n, r or t, with which all of them end (Action:,
// Observation:, Final Answer:, Action Input:), and no closing tag. Behind the input the model may go on to
// "Observation:", where the caller stops it.
func React(tools []string) string {
	turn := `( "Action: DirectAnswer\n" )? answer`
	if len(tools) > 0 {
		turn = `answer | "Action: " ( "DirectAnswer\n" answer | tool )`
	}
	text := fmt.Sprintf(`root ::= " "? thought "\n" "\n"? ( %s )
thought ::= first unit{0,%d}
answer ::= "Final Answer:" " "? [^ \t\r\n] any*
any ::= .
first ::= [^ \t\r\n:<] | [^ \t\r\nnrt:<] ":"+
unit ::= [^\r\n:<] | [^\r\nnrt:<] ":"+ | "<" [^/\r\n:<]
`, turn, maxThought-1)
	if len(tools) > 0 {
		text += fmt.Sprintf(`tool ::= %s "\n" "Action Input: " input ( "\n"{1,2} "Observation:" )?
input ::= first unit{0,%d}
`, choice(tools), maxInput-1)
	}
	return text
}
