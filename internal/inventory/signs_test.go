package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/taken"
)

// What has signs of use goes first in its wave, the surest before all; waves
// stay as they are, and so does the order of all that is alike. Nothing is lost
// and nothing named that is not on the roll.
func TestWhatHasSignsOfUseGoesFirstInItsWaveAndNoWaveChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roll := &credential.Roll{}
		for i := range rapid.IntRange(0, 40).Draw(t, "credentials") {
			roll.Credentials = append(roll.Credentials, credential.Credential{ID: fmt.Sprint("corp/", i), Wave: rapid.IntRange(0, 3).Draw(t, "wave"),
				Authority: rapid.SampledFrom([]string{"corp", "db"}).Draw(t, "authority"), Kind: rapid.SampledFrom([]credential.Kind{"a", "b"}).Draw(t, "kind")})
		}
		lane := func(a, b credential.Credential) int {
			return cmp.Or(strings.Compare(a.Authority, b.Authority), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
		}
		slices.SortFunc(roll.Credentials, func(a, b credential.Credential) int { return cmp.Or(a.Wave-b.Wave, lane(a, b)) })
		before := slices.Clone(roll.Credentials)
		worst, onRoll, elsewhere := map[string]int{}, 0, 0
		var sources []config.Source
		for s := range rapid.IntRange(0, 2).Draw(t, "files") {
			r := &taken.Record{ID: fmt.Sprint("r", s)}
			for i := range 60 {
				of := taken.SignsOf{Credential: fmt.Sprint("corp/", i)}
				for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "signs") {
					sign := credential.Sign{Code: "used-elsewhere", Grade: rapid.SampledFrom([]credential.Grade{credential.Confirmed, credential.Probable, credential.Possible}).Draw(t, "grade"),
						Findings: 2, Count: 3, Addresses: []string{"192.0.2.7"}, At: &credential.LogPlace{Log: 1, Name: "x", Line: 1}}
					of.Signs = append(of.Signs, sign)
					if i >= len(before) {
						elsewhere += 2
						continue
					}
					onRoll++
					if was, ok := worst[of.Credential]; !ok || sign.Grade.Rank() < was {
						worst[of.Credential] = sign.Grade.Rank()
					}
				}
				if len(of.Signs) > 0 {
					r.Signs = append(r.Signs, of)
				}
			}
			sources = append(sources, config.Source{Name: fmt.Sprint("logs-", s), Record: r})
		}
		sources = append(sources, sources...) // the same file once more says nothing new
		signed(roll, sources)

		require.Len(t, roll.Credentials, len(before))
		rank := func(id string) int {
			if r, ok := worst[id]; ok {
				return r
			}
			return 3
		}
		want := slices.Clone(before)
		slices.SortFunc(want, func(a, b credential.Credential) int { return cmp.Or(a.Wave-b.Wave, rank(a.ID)-rank(b.ID), lane(a, b)) })
		for i, c := range roll.Credentials {
			require.Equal(t, want[i].ID, c.ID)
			require.Equal(t, want[i].Wave, c.Wave)
		}
		signs, counted := 0, 0
		for _, c := range roll.Credentials {
			signs += len(c.Signs)
		}
		require.Len(t, roll.Readings, len(sources)/2)
		for _, r := range roll.Readings {
			counted += r.Counts.Elsewhere
			for _, e := range r.Elsewhere {
				require.Nil(t, e.At)
				require.Empty(t, e.Addresses)
			}
		}
		require.Equal(t, []int{onRoll, elsewhere}, []int{signs, counted})
	})
}
