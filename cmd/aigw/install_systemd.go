package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/urfave/cli/v2"
)

func installSystemdCommand() *cli.Command {
	return &cli.Command{
		Name:  "install-systemd",
		Usage: "print or write the units that run the gateway as a service",
		Description: "Without --write the service unit is printed, with --socket the socket unit.\n\n" +
			"Examples:\n" +
			"  aigw install-systemd\n" +
			"  aigw install-systemd --write    # as root: /etc/systemd/system/aigw.service and aigw.socket\n" +
			"  aigw install-systemd --user aigw    # a user that you have made\n" +
			"  systemctl daemon-reload && systemctl enable --now aigw",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "write", Usage: "write both units into --unit-dir"},
			&cli.StringFlag{Name: "unit-dir", Value: "/etc/systemd/system", Usage: "`FOLDER` of units", TakesFile: true},
			&cli.BoolFlag{Name: "socket", Usage: "print the socket unit"},
			&cli.StringFlag{Name: "program", Usage: "`FILE` of the program", DefaultText: "this one", TakesFile: true},
			&cli.StringFlag{Name: "settings", Value: "/etc/aigw/aigw.env", Usage: "`FILE` of environment variables that the service reads, if it exists", TakesFile: true},
			&cli.StringFlag{Name: "models", Value: "/var/lib/aigw/models", Usage: "`FOLDER` of the models", TakesFile: true},
			&cli.StringFlag{Name: "user", Usage: "`NAME` of the user and the group of the service, which exist", DefaultText: "a user that exists while the service runs"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:5052", Usage: "`ADDRESS` of the API, for the socket unit"},
		},
		OnUsageError: onUsageError,
		Action:       installSystemd,
	}
}

func installSystemd(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%q is left over; see aigw install-systemd --help", c.Args().First())
	}
	u := unit{Program: c.String("program"), Settings: c.String("settings"), Models: c.String("models"), User: c.String("user"), Listen: c.String("listen")}
	if u.Program == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		u.Program = self
	}
	for _, path := range []string{u.Program, u.Settings, u.Models} {
		// systemd takes paths apart at spaces and expands % and $.
		if !filepath.IsAbs(path) || strings.ContainsAny(path, " \t\n\"'\\%$") {
			return usagef("%q: a whole path without spaces, quotes, %% and $ is expected, which systemd takes as it is", path)
		}
	}
	if u.User != "" && !userName.MatchString(u.User) {
		return usagef("--user %q: a name as in /etc/passwd is expected, such as aigw", u.User)
	}
	if strings.ContainsAny(u.Listen, " \t\n%") || u.Listen == "" {
		return usagef("--listen %q: an address such as 127.0.0.1:5052 is expected", u.Listen)
	}
	service, err := u.render(serviceUnit)
	if err != nil {
		return err
	}
	socket, err := u.render(socketUnit)
	if err != nil {
		return err
	}
	switch {
	case !c.Bool("write") && c.Bool("socket"):
		_, err = fmt.Fprint(c.App.Writer, socket)
		return err
	case !c.Bool("write"):
		_, err = fmt.Fprint(c.App.Writer, service)
		return err
	}
	for name, text := range map[string]string{"aigw.service": service, "aigw.socket": socket} {
		err := os.WriteFile(filepath.Join(c.String("unit-dir"), name), []byte(text), 0o644)
		if errors.Is(err, os.ErrPermission) {
			err = fmt.Errorf("%w; run it as root, or name another folder with --unit-dir", err)
		}
		if err != nil {
			return err
		}
	}
	return printLine(c.App.Writer, "wrote aigw.service and aigw.socket into %s. Start the gateway with: systemctl daemon-reload && systemctl enable --now aigw", c.String("unit-dir"))
}

// userName is what systemd takes as User= without a warning (systemd.io/USER_NAMES).
var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)

// unit is what the units are filled with.
type unit struct{ Program, Settings, Models, User, Listen string }

func (u unit) render(text string) (string, error) {
	t, err := template.New("unit").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, u)
	return out.String(), err
}

// serviceUnit: the gateway needs the network, its models, a folder for its keys, and the GPU's devices;
// everything else is taken away. MemoryDenyWriteExecute would forbid CUDA's compiler in the driver.
const serviceUnit = `[Unit]
Description=aigw, GitLab's AI Gateway with its models in one process
Documentation=man:aigw(1)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={{.Program}} run
ExecReload=/bin/kill -HUP $MAINPID
Environment=AIGW_MODELS_DIR={{.Models}} AIGW_STATE_DIR=/var/lib/aigw/state
EnvironmentFile=-{{.Settings}}
# 40 GB of weights from a slow disk.
TimeoutStartSec=15min
# Longer than --drain-timeout, with what the supervisor adds.
TimeoutStopSec=30s
Restart=on-failure
RestartSec=2s
LimitCORE=0

{{if .User}}User={{.User}}
Group={{.User}}
{{else}}DynamicUser=yes
{{end -}}
StateDirectory=aigw aigw/state aigw/models
CacheDirectory=aigw
Environment=XDG_CACHE_HOME=/var/cache/aigw
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service mbind set_mempolicy
SystemCallErrorNumber=EPERM
UMask=0077
DevicePolicy=closed
DeviceAllow=char-nvidia rw
DeviceAllow=char-nvidia-uvm rw
DeviceAllow=char-nvidia-caps rw

[Install]
WantedBy=multi-user.target
`

// socketUnit: systemd holds the port, also while the service is replaced by a newer one.
const socketUnit = `[Unit]
Description=Port of aigw
Documentation=man:aigw(1)

[Socket]
ListenStream={{.Listen}}
FileDescriptorName=api
# As many as wait while the service starts.
Backlog=1024

[Install]
WantedBy=sockets.target
`
