package wire

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// What crosses Temporal is read by whoever can read its database.
func TestWhatTravelsNamesNoAccountAndHoldsNoSecret(t *testing.T) {
	for _, v := range []any{
		Roll{}, ListInput{}, ScheduledInput{}, Batch{}, PrepareInput{}, PreparedItem{}, ApplyInput{}, ApplyItem{},
		AppliedItem{}, CleanInput{}, CleanItem{}, IntentInput{}, ResultInput{}, OpenItem{}, ExceptionInput{}, EventInput{},
	} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		var keys map[string]any
		require.NoError(t, json.Unmarshal(b, &keys))
		for _, banned := range []string{"name", "subject", "dn", "path", "paths", "secret", "value", "password"} {
			require.NotContains(t, keys, banned, "%T", v)
		}
	}
}
