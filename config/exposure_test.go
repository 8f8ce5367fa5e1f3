package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestWhatWasThereWhileTheDeviceWasInForeignHandsIsToldByTimes(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }
	contained := &Containment{How: credential.Isolated, At: at(20)}
	twice := []Interval{{From: at(5), To: at(7)}, {From: at(12)}}
	var never time.Time
	for name, row := range map[string]struct {
		exposure    []Interval
		is          *Containment
		from, until time.Time
		want        bool
	}{
		"replaced before":                        {exposure: twice, from: at(1), until: at(4)},
		"replaced in it":                         {exposure: twice, from: at(1), until: at(6), want: true},
		"written in it":                          {exposure: twice, from: at(6), until: at(8), want: true},
		"written at its end":                     {exposure: twice, from: at(7), until: at(8), want: true},
		"all through it":                         {exposure: twice, from: at(1), until: at(30), want: true},
		"since ever":                             {exposure: twice[:1], from: never, until: never, want: true},
		"between two":                            {exposure: twice, from: at(8), until: at(11)},
		"it lasts":                               {exposure: twice, from: at(25), until: never, want: true},
		"it lasted until it was contained":       {exposure: twice, is: contained, from: at(21), until: never},
		"before it was contained":                {exposure: twice, is: contained, from: at(19), until: at(21), want: true},
		"after the last":                         {exposure: twice[:1], from: at(8), until: never},
		"only the containment is said":           {is: contained, from: at(10), until: at(21), want: true},
		"and it is later":                        {is: contained, from: at(21), until: never},
		"and it was over by then":                {is: contained, from: at(10), until: at(19)},
		"nothing is said: what is there now":     {from: at(10), until: never, want: true},
		"nothing is said: not what was replaced": {from: at(10), until: at(11)},
	} {
		c := &Campaign{Exposure: row.exposure, Containment: row.is}
		require.Equal(t, row.want, c.InForeignHands(row.from, row.until), name)
	}
}

func TestAnExposureIsWordedWithItsHours(t *testing.T) {
	c, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10, to: 2023-06-08}, {from: 2023-07-01T09:00:00Z, to: 2023-07-01T12:00:00Z}, {from: 2023-07-02}]\n"+
		"sources:\n  - {type: vault-kv, prefix: kv/a}\n"))
	require.NoError(t, err)
	require.Equal(t, "2022-10-10 to 2023-06-08, 2023-07-01T09:00:00Z to 2023-07-01T12:00:00Z, 2023-07-02 to now", c.Exposed())
}
