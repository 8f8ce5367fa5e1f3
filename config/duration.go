package config

import (
	"fmt"
	"strings"
	"time"
)

// String writes "90s" as "1m30s" and "4h" as "4h": without empty units at the
// end.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "90s", "5m", "1h30m".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("not a duration: write it like 90s, 5m or 4h")
	}
	*d = Duration(v)
	return nil
}

// parseWhen reads a date or an RFC 3339 time, as UTC. A date alone means its
// first second, or its last one where it ends an interval: people who write
// "to: 2023-05-20" mean that day too.
func parseWhen(s string, end bool) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		if end {
			t = t.Add(24*time.Hour - time.Second)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("not a date: write 2022-10-10 or 2022-10-10T08:00:00Z")
	}
	return t.UTC(), nil
}
