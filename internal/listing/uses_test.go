package listing

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
)

// The listing has just asked the same of all of Vault's places. One that took
// long serves a minute all the same.
func TestTheListingOfThisProcessIsTheFirstLookAndServesAMinuteAtMost(t *testing.T) {
	synctest.Test(t, servesAMinuteAtMost)
}

func servesAMinuteAtMost(t *testing.T) {
	u := NewUses(nil, nil)
	spec := &config.Campaign{Directories: map[string]config.Directory{"corp": {}}}
	u.Listed(spec, "c", time.Now())
	by, err := u.Hindering(spec, "c", "corp")(t.Context()) // it has no Vault to ask
	require.NoError(t, err)
	require.Empty(t, by)

	began := time.Now().Add(-2 * time.Hour)
	u.Listed(spec, "long", began)
	last, _ := u.looks.Load([2]string{"long", "corp"})
	require.Equal(t, began.Add(listedTTL), last.(*use).till)
}
