package jirastandin

import (
	"net/http"
	"strconv"
	"time"
)

// writeLimits are Jira's limits on writes to one ticket.
var writeLimits = []struct {
	most   int
	within time.Duration
}{{20, 2 * time.Second}, {100, 30 * time.Second}}

// limited refuses a write to a ticket that was written to too often just now.
func (c *call) limited(rt route) error {
	i := c.s.find(c.args["issue"])
	if !c.s.o.WriteLimit || !rt.writes || i == nil {
		return nil
	}
	past := c.s.writes[i]
	for _, limit := range writeLimits {
		if len(past) < limit.most {
			continue
		}
		free := past[len(past)-limit.most].Add(limit.within)
		if !free.After(c.now) {
			continue
		}
		seconds := int((free.Sub(c.now) + time.Second - 1) / time.Second)
		return &fault{status: http.StatusTooManyRequests, text: "Rate limit exceeded.", header: http.Header{
			"Retry-After":           {strconv.Itoa(seconds)},
			"Ratelimit-Reason":      {"jira-per-issue-on-write"},
			"X-Ratelimit-Limit":     {strconv.Itoa(limit.most)},
			"X-Ratelimit-Remaining": {"0"},
			"X-Ratelimit-Reset":     {free.UTC().Format(time.RFC3339)},
		}}
	}
	past = append(past, c.now)
	c.s.writes[i] = past[max(0, len(past)-100):]
	return nil
}
