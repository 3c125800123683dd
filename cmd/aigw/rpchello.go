package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"aigw/engine"
)

// What ggml's RPC says first, in protocol version 7 (ggml/src/ggml-rpc/ggml-rpc.cpp of llama.cpp v0.5.0): a byte for the
// command and eight for the length of what follows; the answer is a length and three numbers of a version.
const (
	rpcHello      = 14
	rpcCaps       = 24 // bytes about other ways to talk, of which we have none
	rpcHelloReply = 4 + rpcCaps
)

// helloRPC makes sure that a server without a tunnel speaks the version of ggml's protocol that this program does.
func helloRPC(c net.Conn) error {
	ask := binary.LittleEndian.AppendUint64([]byte{rpcHello}, rpcCaps)
	if _, err := c.Write(append(ask, make([]byte, rpcCaps)...)); err != nil {
		return err
	}
	reply := make([]byte, 8+rpcHelloReply)
	if _, err := io.ReadFull(c, reply); err != nil {
		return fmt.Errorf("it does not answer as ggml's RPC server does (%w), or wants a key: name it with --rpc-peer", err)
	}
	if size := binary.LittleEndian.Uint64(reply); size != rpcHelloReply {
		return &unfitError{fmt.Errorf("it does not speak ggml's RPC of this release")}
	}
	if has, need := fmt.Sprintf("%d.%d.%d", reply[8], reply[9], reply[10]), engine.RPCVersion(); has != need {
		return &unfitError{fmt.Errorf("it speaks version %s of ggml's RPC, this machine %s; install the same release on both", has, need)}
	}
	return nil
}
