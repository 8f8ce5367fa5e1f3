package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWindowsAreDatesOrTimesAndDoNotEndBeforeTheyBegin(t *testing.T) {
	w, err := ParseWindow("2022-10-10..2023-05-20")
	require.NoError(t, err)
	require.Equal(t, "2023-05-21T00:00:00Z", w.To.Format(time.RFC3339), "the last date is included")
	w, err = ParseWindow("2022-10-10T14:00:00+02:00..")
	require.NoError(t, err)
	require.True(t, w.To.IsZero())
	for said, want := range map[string]string{
		"2023-05-20..2022-10-10":                     `window "2023-05-20..2022-10-10" ends before it begins`,
		"2023-05-20":                                 "write FROM..TO",
		"yesterday..2023-05-20":                      `"yesterday" is no date`,
		"2022-10-10..2022-10-10T00:00:00":            "no time with its zone",
		"2022-10-10T00:00:00Z..2022-10-10T00:00:00Z": "ends before it begins",
	} {
		_, err := ParseWindow(said)
		require.ErrorContains(t, err, want, said)
	}
}
