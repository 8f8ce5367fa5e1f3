package evidence

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/taken"
)

// Each log has a digest of its own, packed ones of the bytes as they lie, and
// says from when to when it is, and of whom.
func TestTheResultNamesEachLogWithItsDigest(t *testing.T) {
	older := write(t, "slapd.log.1", session(hour(9), "ldap1", 1, "192.0.2.66", "uid=svc,dc=x", 0)+"garbage\n"+session(hour(11), "ldap1", 2, "192.0.2.66", "uid=svc,dc=x", 0))
	newer := write(t, "slapd.log", session(hour(12), "ldap1", 3, "192.0.2.66", "uid=svc,dc=x", 0)+session(hour(13), "ldap2", 3, "192.0.2.66", "uid=svc,dc=x", 0))
	r, err := Read(t.Context(), optionsFor(newer, older))
	require.NoError(t, err)
	require.Len(t, r.Logs, 2)
	for i, want := range []struct {
		file, server   string
		lines, notRead int
		first, last    time.Time
	}{{older, "ldap1", 9, 1, hour(9), hour(11)}, {newer, "", 8, 0, hour(12), hour(13)}} {
		is := r.Logs[i]
		text, err := os.ReadFile(want.file)
		require.NoError(t, err)
		require.Equal(t, []any{want.file, fmt.Sprintf("%x", sha256.Sum256(text)), int64(len(text)), "openldap", "corp", want.server, want.lines, want.notRead},
			[]any{is.File, is.SHA256, is.Size, is.Format, is.Authority, is.Server, is.Lines, is.NotRead})
		require.True(t, want.first.Equal(is.First) && want.last.Equal(is.Last), "%v %v", is.First, is.Last)
	}
	for _, f := range r.Findings {
		for _, s := range f.Seen {
			require.Contains(t, []string{older, newer}, s.File)
		}
	}
	require.Equal(t, "slapd.log.1", filepath.Base(r.Logs[0].File), "in the order in which they were written")
	require.Equal(t, 2, taken.Layout)
}
