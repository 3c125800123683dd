package main

import (
	"os"
	"strings"
	"testing"
)

// The program starts itself as the server; in a test that is the test.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every line of the report has a figure; which, a test on a busy machine cannot say.
func TestReport(t *testing.T) {
	var out strings.Builder
	if err := (options{requests: 50, clients: 4}).run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one client, p50", "one client, p99", "requests, 4 clients", "CPU of the server for a request", "piece of a stream", "first byte of a stream"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestReportOfTokens(t *testing.T) {
	var out strings.Builder
	if err := (options{requests: 50, clients: 1, bad: 500}).tokens(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"verification of a known token", "forged tokens refused", "good requests in the flood", "slower by"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestBodyIsOfTheStatedSize(t *testing.T) {
	if n := len(body(false)); n < bodyBytes*9/10 || n > bodyBytes*11/10 {
		t.Errorf("%d bytes, want about %d", n, bodyBytes)
	}
}
