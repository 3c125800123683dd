package main

import (
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// systemd (sd_notify(3), sd_listen_fds(3)) starts the program with Type=notify and may open its ports
// (Sockets=). Without it all of this does nothing.

// notify tells systemd a state, such as daemon.SdNotifyReady.
func notify(state string) {
	_, _ = daemon.SdNotify(false, state) // without systemd nobody is interested
}

// notifyReady is what the program says when its model answers.
func notifyReady() { notify(daemon.SdNotifyReady) }

// activated are the ports that systemd has opened: the one with FileDescriptorName=metrics is for
// metrics, the first other one for the API. Either may be nil.
func activated() (api, metrics net.Listener, err error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, nil, err
	}
	for name, list := range named {
		for _, l := range list {
			switch {
			case l == nil: // no port
			case name == "metrics" && metrics == nil:
				metrics = l
			case name != "metrics" && api == nil:
				api = l
			default:
				l.Close()
			}
		}
	}
	return api, metrics, nil
}
