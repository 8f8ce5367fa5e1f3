package setup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A slow answer says less of the other clock: Vault may have looked at it at
// its beginning or at its end.
func TestASlowAnswerIsNoClockThatIsWrong(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		took, told time.Duration // told: after it began
		ok         bool
	}{
		{0, 0, true},
		{20 * time.Second, 0, true},
		{20 * time.Second, 20 * time.Second, true},
		{20 * time.Second, -7 * time.Second, false},
		{20 * time.Second, 27 * time.Second, false},
		{0, 7 * time.Second, false},
		{0, -7 * time.Second, false},
	} {
		c := checkClock(began, row.took, began.Add(row.told))
		require.Equal(t, row.ok, c.OK, "%+v: %s", row, c.Detail)
		require.Equal(t, row.ok, c.Do == "", "%+v", row)
	}
}
