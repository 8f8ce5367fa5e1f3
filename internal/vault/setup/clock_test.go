package setup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A slow answer says less of the other clock: Vault may have looked at it at
// its beginning or at its end. Nor is it one that is right.
func TestASlowAnswerIsNoClockThatIsWrong(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		took, told time.Duration // told: after it began
		ok, known  bool
	}{
		{0, 0, true, true},
		{3 * time.Second, 0, true, true},
		{20 * time.Second, 0, true, false},
		{20 * time.Second, 20 * time.Second, true, false},
		{3 * time.Minute, 0, true, false},
		{3 * time.Minute, time.Minute, true, false},
		{3 * time.Minute, 4 * time.Minute, false, true},
		{20 * time.Second, -7 * time.Second, false, true},
		{20 * time.Second, 27 * time.Second, false, true},
		{0, 7 * time.Second, false, true},
		{0, -7 * time.Second, false, true},
	} {
		c := checkClock(began, row.took, began.Add(row.told))
		require.Equal(t, row.ok, c.OK, "%+v: %s", row, c.Detail)
		require.Equal(t, row.ok, c.Do == "", "%+v", row)
		require.Equal(t, row.known, !c.NotChecked, "%+v: %s", row, c.Detail)
	}
}
