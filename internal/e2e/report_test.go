package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// Whoever has the campaign file must be able to tell that the record is of it,
// and whoever reads the second record of an incident that the stolen values had
// died in the first.
func TestTheRecordNamesItsCampaignFileAndWhatHadDiedBefore(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 2m}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	u.must("run")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	first := u.ledger()
	require.NotNil(t, first.Spec)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(text)), first.Spec.FileSHA256)
	require.Len(t, first.Spec.SHA256, 64)
	require.NotContains(t, u.must("report"), "dead before")
	require.Contains(t, u.must("report"), "campaign file: sha256 "+first.Spec.FileSHA256)

	require.NoError(t, os.WriteFile(file, append(text, []byte("# looked at by jo\n")...), 0o600))
	u.must("run")
	second := u.ledger()
	require.NotEqual(t, first.Campaign, second.Campaign)
	require.NotEqual(t, first.Spec.FileSHA256, second.Spec.FileSHA256, "a comment makes another file")
	for _, c := range second.Credentials {
		require.NotNil(t, c.DeadBefore, c.Name)
		require.Equal(t, first.Campaign, c.DeadBefore.Campaign)
		require.WithinDuration(t, first.ClosedAt, c.DeadBefore.At, 10*time.Minute)
	}
	shown := strings.Join(strings.Fields(u.must("report")), " ")
	require.Contains(t, shown, "dead before: each of them had a value called dead by an earlier campaign (the latest by "+first.Campaign)
	require.Contains(t, shown, "started the campaign with rollcall")
	u.must("ledger", "verify")
}
