package evidence

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/taken"
)

// A forged time that JSON or a ledger cannot hold takes no result with it.
func TestALineOfAYearThatCannotBeIsNotUnderstood(t *testing.T) {
	text := session(hour(12), "dc1", 1, "192.0.2.10", "uid=svc,dc=x", 0)
	for i, at := range []string{"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z"} {
		text += strings.ReplaceAll(session(hour(13), "dc1", 2+i, "192.0.2.66", "uid=svc,dc=x", 0), hour(13).Format(time.RFC3339), at)
	}
	result, err := Read(t.Context(), optionsFor(write(t, "a.log", text)))
	require.NoError(t, err)
	_, err = json.Marshal(result)
	require.NoError(t, err)
	require.Equal(t, 16, result.Logs[0].NotRead)
	require.Equal(t, 1, result.Sources[0].Logins)
	require.Equal(t, hour(12), result.Logs[0].First)
	require.Equal(t, hour(12), result.Logs[0].Last)
}

// What a line calls its server fits what a campaign takes.
func TestALongNameOfAServerIsCut(t *testing.T) {
	for _, name := range []string{strings.Repeat("h", 300), strings.Repeat("é", 101), strings.Repeat("\xff", 150)} {
		result, err := Read(t.Context(), optionsFor(write(t, "a.log", session(hour(12), name, 1, "192.0.2.10", "uid=svc,dc=x", 0))))
		require.NoError(t, err)
		text, err := json.Marshal(result)
		require.NoError(t, err)
		_, err = taken.Read(text)
		require.NoError(t, err)
	}
}
