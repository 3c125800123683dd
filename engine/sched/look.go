package sched

import (
	"time"

	"aigw/engine/prefix"
)

// Held is what the prefix tree holds in the cache, in no order.
func (s *Scheduler) Held() []prefix.Held { return s.tree.Held() }

// Budget is how long a step may take, while somebody decodes and while nobody does.
func (s *Scheduler) Budget() (step, idle time.Duration) { return s.cfg.StepTime, s.cfg.IdleTime }
