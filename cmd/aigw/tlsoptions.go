package main

import (
	"aigw/gateway"
	"aigw/gateway/certificate"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v2"
)

func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tls-cert", Usage: "`FILE` with the certificate of the API and its chain, in PEM; the API is then served with TLS", EnvVars: []string{"AIGW_TLS_CERT"}, TakesFile: true},
		&cli.StringFlag{Name: "tls-key", Usage: "`FILE` with its key", EnvVars: []string{"AIGW_TLS_KEY_FILE"}, TakesFile: true},
		&cli.StringFlag{Name: "tls-client-ca", Usage: "`FILE` of CAs, one of which has to have signed each client's certificate", EnvVars: []string{"AIGW_TLS_CLIENT_CA"}, TakesFile: true},
	}
}

// ownCertificate is what the API is served with, or nil if that is without TLS.
func ownCertificate(c *cli.Context) (*certificate.Holder, error) {
	f := certificate.Files{Certificate: c.String("tls-cert"), Key: c.String("tls-key"), ClientCAs: c.String("tls-client-ca")}
	if f == (certificate.Files{}) {
		return nil, nil
	}
	if err := checkTLSFlags(c); err != nil {
		return nil, err
	}
	return certificate.New(f)
}

func checkTLSFlags(c *cli.Context) error {
	cert, key, clients := c.String("tls-cert") != "", c.String("tls-key") != "", c.String("tls-client-ca") != ""
	if cert != key || clients && !cert {
		return usagef("--tls-cert and --tls-key belong together, and --tls-client-ca to them: name both")
	}
	return nil
}

// countCertificate shows on the page of metrics when the certificate ends.
func countCertificate(g *gateway.Server, own *certificate.Holder) error {
	if own == nil {
		return nil
	}
	return g.AddMetrics(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "aigw_tls_certificate_expiry_timestamp_seconds", Help: "When the certificate of the API ends, in Unix seconds.",
	}, func() float64 { return float64(own.Expires().Unix()) }))
}
