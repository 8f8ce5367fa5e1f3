package logs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// Of each logon its machine, number and address are kept, and not its record,
// most of which is text for people.
func TestALogonOfAnExportIsKeptWithoutItsRecord(t *testing.T) {
	const logons, length = 5_000, 8 << 10
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	p := newWindowsCSV(Options{Zone: time.UTC, Event: func(event.Event) {}, Note: func(event.Note, event.Place, string) {}})
	line := func(n int, text string) {
		v, _, err := p.Line([]byte(text), event.Place{File: "f", Line: n})
		require.NoError(t, err)
		require.Equal(t, Read, v)
	}
	line(1, "Id,TimeCreated,MachineName,TargetUserName,TargetLogonId,IpAddress,Message")
	before := inUse()
	for i := range logons {
		line(i+2, fmt.Sprintf("4624,2026-11-29T22:10:32Z,dc1,svc,0x%x,192.0.2.1,%s", i+1, strings.Repeat("x", length)))
	}
	require.Equal(t, logons, p.(*windowsCSV).from.Len())
	require.Less(t, inUse()-before, int64(logons*length/8))
	runtime.KeepAlive(p)
}
