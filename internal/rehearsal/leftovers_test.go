package rehearsal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/estate"
)

// A rehearsal is killed after it made its account. Then rehearsal.under is
// corrected in the file, as whoever looks for it would do.
func TestWhatAKilledRehearsalMadeIsRemovedWhereItWasMade(t *testing.T) {
	e, spec := start(t, estate.Options{Accounts: 1}, func(e *estate.Estate, text string) string {
		return strings.Replace(text, "  corp:\n", "  corp:\n    rehearsal: {under: \""+place+"\"}\n", 1)
	})
	add(t, e.Slapd.AdminConn, place, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"rehearsal"}})
	r := rehearsal(t, spec)
	s := stage{authority: "corp", kind: spec.KindOf("corp"), in: spec.Rehearsal("corp"), id: "abcdef012345"}
	s.name = authority.Bogus + "-" + s.id
	_, stop, err := r.open(t.Context(), &s)
	require.NoError(t, err)
	_, err = r.account(t.Context(), &s)
	require.NoError(t, err)
	stop() // as kill -9 does

	d := r.Spec.Directories["corp"]
	d.Rehearse.Under = "ou=people,dc=example,dc=org"
	r.Spec.Directories["corp"] = d
	removed, err := r.Leftovers(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"corp " + s.name}, removed)
	require.Empty(t, below(t, e.Slapd.AdminConn, place))
	records, err := r.Store.Rehearsals(t.Context())
	require.NoError(t, err)
	require.Empty(t, records)
}
