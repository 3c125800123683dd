package main

import (
	"strings"
	"testing"
)

func TestParseCPUTimes(t *testing.T) {
	const later = "cpu  200 0 100 600 50 10 15 25 40 0\ncpu0 100 0 50 300 25 5 8 12 20 0\n"
	tests := []struct {
		name string
		stat string
		want cpuTimes
	}{
		{"counted, guest times once", later, cpuTimes{total: 1000, idle: 650, steal: 25}},
		{"empty", "", cpuTimes{}},
		{"too few fields", "cpu 1 2 3\n", cpuTimes{}},
		{"one core only", "cpu0 1 2 3 4 5 6 7 8\n", cpuTimes{}},
		{"no numbers", "cpu a b c d e f g h\n", cpuTimes{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := parseCPUTimes(test.stat); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	passed := parseCPUTimes(later).since(cpuTimes{total: 500, idle: 350, steal: 0})
	if passed.busy() != 0.4 || passed.stolen() != 0.05 {
		t.Errorf("busy %v, stolen %v; want 0.4 and 0.05", passed.busy(), passed.stolen())
	}
	if (cpuTimes{}).busy() != 0 {
		t.Error("a machine that tells nothing is busy")
	}
}

func TestFirstField(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: other\n"
	if got := firstField(strings.NewReader(text), "model name"); got != "AMD EPYC" {
		t.Errorf("model name %q", got)
	}
	if got := firstField(strings.NewReader(text), "bogomips"); got != "" {
		t.Errorf("a field that is not there is %q", got)
	}
}

func TestMachineWarning(t *testing.T) {
	if w := (machine{Busy: 0.01}).warning(); w != "" {
		t.Errorf("a quiet machine warns: %s", w)
	}
	if w := (machine{Busy: 0.4}).warning(); !strings.Contains(w, "40 %") {
		t.Errorf("warning %q of a machine that is busy for 40 %%", w)
	}
}
