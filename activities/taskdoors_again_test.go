package activities

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/rotation"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// A task whose value Rollcall made may be dead though nobody has written that
// at the path of its row, where the stolen one goes on lying. To offer that at
// the end would be a wrong login, and would open again what is dead.
func TestAtTheEndADoorIsOfferedNoStolenValue(t *testing.T) {
	gateway := newPage(t)
	destroy := func(p *peopled, name string, version int) {
		p.write("kv/destroy/net/"+name, map[string]any{"versions": []int{version}})
	}
	beside := func(p *peopled, name, value string) {
		p.write("kv/data/net/"+name, map[string]any{"data": map[string]any{"value": value, "note": "of a field beside it"}})
	}
	rows := []struct {
		name    string
		byHand  bool // the person makes the value
		before  func(p *peopled, name string)
		since   func(p *peopled, name string)
		want    tasks.Looked
		offered []string
	}{
		{name: "not-written", since: func(*peopled, string) {}, want: tasks.Looked{NotWritten: true}},
		{name: "a-field-beside-it-written", since: func(p *peopled, name string) { beside(p, name, "stolen-of-"+name) }, want: tasks.Looked{Unseen: true}},
		{name: "a-field-beside-it-written-and-cleaned", since: func(p *peopled, name string) { beside(p, name, "stolen-of-"+name); destroy(p, name, 1) }, want: tasks.Looked{Unseen: true}},
		{name: "written-after-a-field-beside-it-and-cleaned", since: func(p *peopled, name string) {
			beside(p, name, "stolen-of-"+name)
			destroy(p, name, 1)
			p.put(name, "new")
		}, offered: []string{"new"}},
		{name: "written", since: func(p *peopled, name string) { p.put(name, "new") }, offered: []string{"new"}},
		{name: "written-where-an-older-stolen-one-is-gone", before: func(p *peopled, name string) { p.put(name, "older"); destroy(p, name, 1) },
			since: func(p *peopled, name string) { p.put(name, "new") }, offered: []string{"new"}},
		{name: "put-back-by-hand", byHand: true, since: func(p *peopled, name string) {
			p.put(name, "new")
			p.put(name, "stolen-of-"+name+"\n")
			gateway.take(name, "stolen-of-"+name)
		}, want: tasks.Looked{Unseen: true}},
		{name: "by-hand-and-the-stolen-one-is-gone", byHand: true, since: func(p *peopled, name string) { p.put(name, "new"); destroy(p, name, 1) }, offered: []string{"new"}},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p := newPeopled(t, nil, names...)
	var all opened.Doors
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{Now: time.Now,
		Settings: func(string) door.Settings { return door.Settings{Type: "http"} }, Open: func(string) (*opened.Door, error) { return all.Open(gateway.door()) }}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := credential.Credential{ID: "person/esg-01/" + row.name, Name: row.name, Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "gateway", Login: row.name}},
				Task: &credential.Task{Make: !row.byHand, At: &credential.Path{Mount: "kv", Path: "net/" + row.name, Field: "value"}}}
			stolen := func() {
				was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
				require.NoError(t, err)
				c.Task.Stolen = append(c.Task.Stolen, credential.StolenVersion{Version: was.Version, Written: was.Written})
			}
			if row.before != nil {
				row.before(p, row.name)
				stolen()
			}
			p.put(row.name, "stolen-of-"+row.name)
			stolen()
			gateway.take(row.name, "new")
			row.since(p, row.name)
			require.Equal(t, []tasks.Looked{row.want}, asking.LookAgain(t.Context(), []credential.Credential{c}, nil))
			require.Equal(t, row.offered, slices.Compact(gateway.tried(row.name)))
		})
	}
	require.False(t, credential.FindingNotAskedAgain.Incomplete(), "once the campaign has ended nobody can mend it")
}

// What nobody can mend after the end is told of the task, and is no look that
// did not happen.
func TestAValueThatWasNeverWrittenAtItsPathIsToldAtTheEnd(t *testing.T) {
	p := newPeopled(t, nil, "nas")
	p.put("nas", "stolen")
	c := credential.Credential{ID: "person/esg-01/nas", Name: "nas", Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "gateway", Login: "nas"}},
		Task: &credential.Task{Make: true, At: &credential.Path{Mount: "kv", Path: "net/nas", Field: "value"}}}
	was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
	require.NoError(t, err)
	c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
	in := wire.RecheckInput{Batch: wire.Batch{Campaign: "c", Snapshot: p.index.Snapshot}, Items: []wire.ProvedItem{{Index: 0}}}
	got, err := p.rotation.recheckAtDoors(t.Context(), in, []credential.Credential{c})
	require.NoError(t, err)
	require.Equal(t, wire.Rechecked{Told: map[credential.FindingCode][]int{credential.FindingNotAskedAgain: {0}}}, got)
}
