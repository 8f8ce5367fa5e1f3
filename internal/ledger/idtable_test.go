package ledger

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Keys that stand in one another's way, come again, and go, are told apart as a
// map of Go's tells them apart.
func TestIDsAreToldApartAsAMapTellsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ids idTable
		ids.roomFor(rapid.IntRange(0, 40).Draw(t, "room"))
		want := map[idKey]int32{}
		key := rapid.Custom(func(t *rapid.T) (k idKey) {
			// Few first bits, so that most collide.
			binary.LittleEndian.PutUint64(k[:], rapid.Uint64Range(0, 3).Draw(t, "at")|rapid.SampledFrom([]uint64{0, 1 << 63, 15}).Draw(t, "high"))
			k[15] = rapid.Byte().Draw(t, "rest")
			return k
		})
		for n := range rapid.IntRange(0, 400).Draw(t, "steps") {
			k, number := key.Draw(t, "key"), int32(n+1)
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				ids.drop(k)
				delete(want, k)
			} else {
				_, had := want[k]
				require.Equal(t, !had, ids.put(k, number))
				want[k] = number
			}
			require.Equal(t, len(want), ids.have)
		}
		for k, number := range want {
			got, ok := ids.get(k)
			require.True(t, ok)
			require.Equal(t, number, got)
		}
		for range 20 {
			k := key.Draw(t, "asked")
			_, had := want[k]
			_, ok := ids.get(k)
			require.Equal(t, had, ok)
		}
	})
}

func TestAnAttemptIsOfItsCredentialAndNumber(t *testing.T) {
	a := newQuickAudit(&Report{}, 10)
	seen := map[idKey]bool{}
	for _, id := range []string{"corp/a", "corp/b", ""} {
		for number := range 1000 {
			k := a.quick.attempt(id, number)
			require.False(t, seen[k])
			seen[k] = true
			require.Equal(t, k, a.quick.attempt(id, number))
		}
	}
}

// What looks alike by half a key comes twice, and nothing else does, however
// the set has grown.
func TestIDsThatCameBeforeAreKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ids idSet
		ids.roomFor(rapid.IntRange(0, 40).Draw(t, "room"))
		have := map[uint64]bool{}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			half := rapid.Uint64Range(1, 60).Draw(t, "near") | rapid.SampledFrom([]uint64{0, 1 << 63, 1 << 20}).Draw(t, "high")
			require.Equal(t, !have[half], ids.add(half))
			have[half] = true
		}
		require.Equal(t, len(have), ids.have)
	})
	var none idSet
	require.True(t, none.add(0))
	require.False(t, none.add(0), "no id is taken for an empty place")
}
