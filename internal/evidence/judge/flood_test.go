package judge

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// inUse is how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The events of a log of a million lines, each of another name that somebody
// typed and of another address. A name is a part of its line.
func TestALogOfAMillionNamesTakesABoundedMemoryAndWhatIsLeftOutIsSaid(t *testing.T) {
	const tries, most = 1_000_000, 240 << 20
	o := options()
	o.Device = []netip.Prefix{netip.MustParsePrefix("2001::/16")}
	typed, behind := strings.Repeat("x", 400), strings.Repeat(" and what is behind it", 50)
	j, before := New(o), inUse()
	for n := range tries {
		name := "uid=" + strconv.Itoa(n) + typed + ",dc=x"
		line := name + behind
		e := at(11, line[:len(name)], "", event.Refused)
		e.Address, e.Line = many(n), n+1
		if n%2 == 1 {
			e.Change, e.Target = event.Reset, e.Account
		}
		j.Add(e)
	}
	require.Less(t, inUse()-before, int64(most))
	r := j.Finish(nil, nil)
	kept := 0
	for _, f := range r.Findings {
		if kept += f.Count; f.Code == NotOnRoll {
			require.Equal(t, fmt.Sprintf("uid=(masked, %d characters),dc=x", len(strconv.Itoa(f.Seen[0].Line-1)+typed)), f.Account)
		}
	}
	require.Equal(t, tries, kept+r.TooMany)
	require.Positive(t, r.TooMany)
}

func TestNamesThatBeginAlikeAreApartHoweverLongTheyAre(t *testing.T) {
	long := "uid=" + strings.Repeat("x", 5_000)
	o := options()
	o.Credentials = append(o.Credentials, Credential{ID: "corp/long", Name: long, Authority: "corp", Accounts: []Account{{Form: event.DN, Name: long + "1,dc=x"}}})
	j := New(o)
	for _, name := range []string{long + "1,dc=x", long + "2,dc=x", long + "3,dc=x", strings.ToUpper(long) + "1,DC=X"} {
		j.Add(at(11, name, "192.0.2.10", event.Accepted))
	}
	r := j.Finish(nil, nil)
	require.Len(t, r.Findings, 2)
	require.Equal(t, 2, r.Uses[2].Device.Count)
}
