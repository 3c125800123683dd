package xray_test

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
	gatewaytest.FuzzBody(f, s, "/v1/x-ray/libraries", body(""), body(`,"metadata":{"a":"b"}`))
}
