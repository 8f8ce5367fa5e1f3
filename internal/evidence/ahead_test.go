package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logs"
)

// manyBatches is a log of logins, one connection each, a few of which are not
// closed before others are opened.
func manyBatches(n int) string {
	var out strings.Builder
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at = at.Add(time.Second)
		head := at.Format(time.RFC3339) + " ldap1 slapd[812]: "
		fmt.Fprintf(&out, "%sconn=%d fd=12 ACCEPT from IP=10.0.%d.%d:2000 (IP=127.0.0.1:389)\n", head, i, i/250%250, i%250)
		fmt.Fprintf(&out, "%sconn=%d op=0 BIND dn=\"uid=u%d,dc=example,dc=org\" method=128\n", head, i, i)
		if i%1000 == 7 {
			out.WriteString("a line of nobody's\n")
			out.WriteString(head + strings.Repeat("x", 2<<20) + "\n")
		}
		if i >= 5 {
			fmt.Fprintf(&out, "%sconn=%d op=0 RESULT tag=97 err=49 qtime=0.000009 etime=0.003869 text=\n", head, i-5)
		}
	}
	return out.String()
}

func TestWhatIsTakenApartAheadIsReadInTheOrderOfItsLines(t *testing.T) {
	const n = 9_000
	path := filepath.Join(t.TempDir(), "slapd.log")
	require.NoError(t, os.WriteFile(path, []byte(manyBatches(n)), 0o600))
	read := func(cpus int) (events []event.Event, sources string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
		o := Options{Quiet: time.Hour}
		f := File{Path: path}
		unknown, err := o.look(t.Context(), &f, "")
		require.NoError(t, errors.Join(unknown, err))
		r := &reading{Options: &o, take: func(e event.Event) { events = append(events, e) }}
		require.NoError(t, r.group(t.Context(), &group{format: f.format, files: []*File{&f}}))
		return events, fmt.Sprintf("%+v", *r.sources[0])
	}
	events, sources := read(1)
	require.Len(t, events, n)
	for i, e := range events[:n-5] {
		require.Equal(t, fmt.Sprintf("uid=u%d,dc=example,dc=org", i), e.Account)
		require.Equal(t, fmt.Sprintf("10.0.%d.%d", i/250%250, i%250), e.Address.String())
	}
	again, same := read(4)
	require.Equal(t, events, again)
	require.Equal(t, sources, same)
	require.Contains(t, sources, "Unreadable:18", "and what was not understood is counted")
}

func TestReadingEndsWhenItIsToldToOrALineCannotBePlaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slapd.log")
	require.NoError(t, os.WriteFile(path, []byte(manyBatches(9_000)+"Nov 29 18:50:35 ldap1 slapd[7]: conn=1 op=1 UNBIND\n"), 0o600))
	o := Options{Files: []File{{Path: path}}}
	_, err := Read(t.Context(), o)
	var lacks *logs.NoTime
	require.ErrorAs(t, err, &lacks)
	require.Equal(t, event.Place{File: path, Line: 27_000 - 5 + 18 + 1}, lacks.Place)
	ctx, stop := context.WithCancel(t.Context())
	o.Progress = func(int64, int64) { stop() }
	_, err = Read(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}
