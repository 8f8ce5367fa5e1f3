package evidence

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logs"
)

// Who may write into a syslog says at which times he likes.
func TestWhatIsKeptOfALogThatIsFollowedGrowsByNoTimes(t *testing.T) {
	format, err := logs.Named("openldap")
	require.NoError(t, err)
	s := NewStream(Options{Quiet: time.Second}, File{Path: "log"}, format, time.Now, func(event.Event) {})
	kept := func(lines int) int {
		for i := range lines {
			at := time.Now().UTC().Add(-time.Duration(i) * 48 * time.Hour)
			s.Line(fmt.Appendf(nil, "%s ldap1 slapd[7]: conn=1 fd=1 closed", at.Format(time.RFC3339)), event.Place{File: "log", Line: i}, false)
		}
		return len(fmt.Sprintf("%v", *s.of.sources[0]))
	}
	few := kept(10)
	require.Less(t, kept(1000), few+few/2)
}
