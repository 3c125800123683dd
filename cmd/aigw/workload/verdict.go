package workload

import (
	"fmt"
	"strings"
)

// verdict says what was found out, in words that an administrator can act on.
func (r *Run) verdict(o *Result) string {
	switch {
	case o.Served == 0:
		return "This machine does not serve even one person within the objectives: " + o.reason(1) +
			". A smaller model or a GPU helps, and so does a longer objective that people can live with."
	case o.Missed == 0 && o.Served == r.Most:
		return fmt.Sprintf("This machine serves %s (%s) within the objectives, and more: raise --most to find out how many.", people(o.Served), r.Recording.Who(r.Mix, o.Served))
	case o.Missed == 0:
		return fmt.Sprintf("This machine serves at least %s (%s) within the objectives; the time was over before more were tried: raise --for.", people(o.Served), r.Recording.Who(r.Mix, o.Served))
	}
	return fmt.Sprintf("This machine serves about %s (%s) within the objectives. With %d, %s.",
		people(o.Served), r.Recording.Who(r.Mix, o.Served), o.Missed, o.reason(o.Missed))
}

// verdictOn judges one number of people.
func (r *Run) verdictOn(s Stage) string {
	if len(s.Missed) > 0 {
		return fmt.Sprintf("This machine does not serve %s (%s) within the objectives: %s.", people(s.People), s.Who, strings.Join(s.Missed, "; "))
	}
	return fmt.Sprintf("This machine serves %s (%s) within the objectives.", people(s.People), s.Who)
}

// reason is what was missed with so many people, the last time they were tried.
func (o *Result) reason(n int) string {
	for i := len(o.Stages) - 1; i >= 0; i-- {
		if s := o.Stages[i]; s.People == n && len(s.Missed) > 0 {
			return strings.Join(s.Missed, "; ")
		}
	}
	return "an objective was missed"
}

func people(n int) string {
	if n == 1 {
		return "1 person at once"
	}
	return fmt.Sprintf("%d people at once", n)
}
