package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAnExposureThatIsWrittenForPeopleIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Campaign
		at := time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC)
		next := func() time.Time {
			at = at.Add(time.Duration(rapid.IntRange(1, 400*86400).Draw(t, "later")) * time.Second)
			if rapid.Bool().Draw(t, "whole day") {
				at = at.Truncate(24 * time.Hour)
			}
			return at
		}
		for range rapid.IntRange(1, 4).Draw(t, "intervals") {
			c.Exposure = append(c.Exposure, Interval{From: next(), To: next()})
		}
		if rapid.Bool().Draw(t, "lasts") {
			c.Exposure[len(c.Exposure)-1].To = time.Time{}
		}
		require.Equal(t, c.Exposure, ReadExposed(c.Exposed()))
	})
	for _, no := range []string{"", "2022", "2022-10-10", "2022-10-10 to", "now to 2022-10-10", "2022-10-10 to now, and more", "10.10.2022 to now"} {
		require.Nil(t, ReadExposed(no), no)
	}
}
