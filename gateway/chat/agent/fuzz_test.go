package agent_test

import (
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

func FuzzBody(f *testing.F) {
	s := gateway.New(gateway.Options{Auth: auth.Options{BypassExternal: true}})
	m := gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"Final Answer: x"}})
	m.Chat = &gatewaytest.Chat{}
	s.Ready(m)
	gatewaytest.FuzzBody(f, s, "/v2/chat/agent", firstTurn, question("a"), olderTurn)
}

// olderTurn is in the shape of GitLab 17.4.
const olderTurn = `{"prompt":"c","options":{"chat_history":["a","b"],"agent_scratchpad":{"agent_type":"react","steps":[]},"current_file":{"file_path":"f.go","data":"package f","selected_code":true}}}`
