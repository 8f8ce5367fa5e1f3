package activities

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// page is a web page behind HTTP basic that takes what it is told to take.
type page struct {
	mu    sync.Mutex
	takes map[string][]string // values, by login
	asked map[string][]string
	at    string
}

func newPage(t *testing.T) *page {
	p := &page{takes: map[string][]string{}, asked: map[string][]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, value, ok := r.BasicAuth()
		p.mu.Lock()
		defer p.mu.Unlock()
		if ok {
			p.asked[login] = append(p.asked[login], value)
		}
		for _, v := range p.takes[login] {
			if ok && v == value {
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.Close)
	p.at = strings.TrimPrefix(s.URL, "http://")
	return p
}

func (p *page) take(login string, values ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes[login] = values
}

func (p *page) tried(login string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[login]
}

func (p *page) door() door.Settings {
	return door.Settings{Type: "http", Address: p.at, TLS: door.ClearText, Path: "/", Login: "{account}", Timeout: time.Minute}
}

// What a person changes has no server that could be asked; a door can. Both
// ends of it are asked, with what Vault holds of it before and after.
func TestWhatPeopleHaveDoneIsProvedAtItsDoors(t *testing.T) {
	gateway, nas := newPage(t), newPage(t)
	const itself, both = 1, 2
	madeAnew := func(p *peopled, name, _ string) {
		_, err := p.client.Logical().Delete("kv/metadata/net/" + name)
		require.NoError(p.t, err)
		p.put(name, "between")
		p.put(name, "new")
		gateway.take(name, "new")
	}
	destroyed := func(p *peopled, name, _ string) {
		p.put(name, "new")
		p.write("kv/destroy/net/"+name, map[string]any{"versions": []int{1}})
		gateway.take(name, "new")
	}
	rows := []struct {
		name  string
		ends  int
		made  bool // by Rollcall
		path  bool
		doors []credential.DoorLogin
		// unkept: an earlier version listed it, which kept no stolen values.
		unkept bool
		does   func(p *peopled, name, made string) // what became of it, and of its ends
		proof  protocol.Proof
		why    protocol.Reason
		says   string
		old    protocol.Reply // to the stolen value, of evidence
	}{
		{name: "at-both-ends", ends: both, path: true, doors: []credential.DoorLogin{{Door: "gateway", End: "gateway"}, {Door: "nas", End: "NAS"}},
			does: func(p *peopled, name, _ string) {
				p.put(name, "new")
				gateway.take(name, "new")
				nas.take(name, "new")
			}, proof: protocol.ProofDoors, old: protocol.Refused},
		{name: "at-one-end-of-two", ends: both, path: true, doors: []credential.DoorLogin{{Door: "nas", End: "NAS"}},
			does:  func(p *peopled, name, _ string) { p.put(name, "new"); nas.take(name, "new") },
			proof: protocol.ProofAttested, old: protocol.Refused},
		{name: "the-other-end-still-takes-it", ends: both, path: true, doors: []credential.DoorLogin{{Door: "gateway", End: "gateway"}, {Door: "nas", End: "NAS"}},
			does: func(p *peopled, name, _ string) {
				p.put(name, "new")
				gateway.take(name, "new")
				nas.take(name, "new", "stolen-of-"+name)
			}, why: protocol.ReasonDoorTakesOld},
		{name: "said-and-not-written", path: true, does: func(*peopled, string, string) {}, why: protocol.ReasonByHand, says: "write the new value there"},
		{name: "written-as-it-was", path: true, does: func(p *peopled, name, _ string) { p.put(name, "stolen-of-"+name) }, why: protocol.ReasonByHand, says: "is the stolen one"},
		{name: "said-and-not-set", path: true, does: func(p *peopled, name, _ string) { p.put(name, "new"); gateway.take(name, "stolen-of-"+name) }, why: protocol.ReasonDoorRefusesNew},
		{name: "emptied", path: true, does: func(p *peopled, name, _ string) {
			p.write("kv/data/net/"+name, map[string]any{"data": map[string]any{"other": "x"}})
		}, why: protocol.ReasonByHand, says: "no-field"},
		{name: "made", made: true, does: func(p *peopled, name, made string) { gateway.take(name, made) }, proof: protocol.ProofAttested},
		{name: "made-with-a-path", made: true, path: true, does: func(p *peopled, name, made string) { gateway.take(name, made) }, proof: protocol.ProofDoors, old: protocol.Refused},
		{name: "made-and-another-one-used", made: true, path: true, does: func(p *peopled, name, _ string) { p.put(name, "my own"); gateway.take(name, "my own") }, proof: protocol.ProofDoors, old: protocol.Refused},
		// Numbers of versions begin anew: what lies there under its number was
		// never stolen.
		{name: "deleted-and-made-anew", path: true, does: madeAnew, proof: protocol.ProofDoors, old: protocol.Refused},
		{name: "destroyed", path: true, does: destroyed, proof: protocol.ProofDoors, old: protocol.Refused},
		// Nobody knows the stolen value any more, so what lies there may be it.
		{name: "deleted-and-made-anew-and-not-kept", path: true, unkept: true, does: madeAnew, why: protocol.ReasonByHand, says: "cannot be read any more"},
		{name: "destroyed-and-not-kept", path: true, unkept: true, does: destroyed, why: protocol.ReasonByHand, says: "cannot be read any more"},
		{name: "no-such-door", path: true, doors: []credential.DoorLogin{{Door: "not-in-the-file"}}, does: func(p *peopled, name, _ string) { p.put(name, "new") }, why: protocol.ReasonDoorSilent},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p := newPeopled(t, nil, names...)
	p.open()
	var doors opened.Doors
	one := func(string) door.Settings { return door.Settings{Type: "http", Machines: 1} } // so that one look has room for two doors
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{Now: time.Now, Settings: one, Open: func(name string) (*opened.Door, error) {
		at := map[string]*page{"gateway": gateway, "nas": nas}[name]
		if at == nil {
			return nil, errors.New("none of that name")
		}
		return doors.Open(at.door())
	}}}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := credential.Credential{ID: "person/esg-01/" + row.name, Name: row.name, Kind: credential.SecretByHand, Doors: row.doors,
				Task: &credential.Task{Make: row.made, Ends: []credential.TaskEnd{{Name: "gateway"}, {Name: "NAS"}}[:max(row.ends, itself)]}}
			if c.Doors == nil {
				c.Doors = []credential.DoorLogin{{Door: "gateway"}}
			}
			for i := range c.Doors {
				c.Doors[i].Login = row.name
			}
			if row.path {
				p.put(row.name, "stolen-of-"+row.name)
				c.Task.At = &credential.Path{Mount: "kv", Path: "net/" + row.name, Field: "value"}
				was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
				require.NoError(t, err)
				c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
			}
			if !row.unkept {
				require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
			}
			row.does(p, row.name, p.staged(row.name).Secret.Reveal())
			in := wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs[i : i+1]}
			out, err := asking.Ask(t.Context(), in, []credential.Credential{c})
			require.NoError(t, err)
			require.Len(t, out, 1)
			got := out[0]
			if row.why != "" {
				require.NotNil(t, got.Stop, "%+v", got)
				require.Equal(t, row.why, got.Stop.Reason, got.Stop.Detail)
				require.Contains(t, got.Stop.Detail, row.says)
				require.Empty(t, got.Proof)
				require.Empty(t, got.Doors)
				require.NotContains(t, got.Stop.Detail, row.name, "it crosses Temporal")
				return
			}
			require.Nil(t, got.Stop)
			require.Equal(t, row.proof, got.Proof)
			require.Len(t, got.Doors, len(c.Doors))
			require.Equal(t, row.old, got.Doors[0].Old)
			require.Equal(t, protocol.Accepted, got.Doors[0].New)
		})
	}
	require.NotContains(t, gateway.tried("said-and-not-set"), "stolen-of-said-and-not-set", "a door that refuses the new value is offered no old one")
	require.NotContains(t, gateway.tried("deleted-and-made-anew"), "between")
}

// At the end each door is offered what it was proved with, once: who kept a
// session may have set the stolen value again, which wants no old password.
func TestADoorThatRefusesAtTheEndWhatItTookAtTheProofOpensItAgain(t *testing.T) {
	gateway, nas := newPage(t), newPage(t)
	doors := []credential.DoorLogin{{Door: "gateway", End: "gateway"}, {Door: "nas", End: "NAS"}}
	rows := []struct {
		name   string
		since  func(p *peopled, name string)
		doors  []credential.DoorLogin
		left   []string
		unseen bool
		opened bool
	}{
		{name: "as-it-was", since: func(*peopled, string) {}},
		{name: "set-back", since: func(_ *peopled, name string) { nas.take(name, "stolen-of-"+name) }, opened: true},
		{name: "set-back-behind-a-door-that-is-left-out", since: func(_ *peopled, name string) { nas.take(name, "stolen-of-"+name) }, left: []string{"nas"}},
		{name: "written-anew-and-not-set", since: func(p *peopled, name string) { p.put(name, "another") }, opened: true},
		{name: "changed-by-its-owner", since: func(p *peopled, name string) {
			p.put(name, "another")
			gateway.take(name, "another")
			nas.take(name, "another")
		}},
		{name: "no-value", since: func(p *peopled, name string) { p.write("kv/destroy/net/"+name, map[string]any{"versions": []int{2}}) }, unseen: true},
		{name: "silent", since: func(*peopled, string) {}, doors: []credential.DoorLogin{{Door: "gateway"}, {Door: "down"}}, unseen: true},
		{name: "silent-and-set-back", since: func(_ *peopled, name string) { gateway.take(name, "stolen-of-"+name) }, doors: []credential.DoorLogin{{Door: "down"}, {Door: "gateway"}}, opened: true},
		{name: "no-such-door", since: func(*peopled, string) {}, doors: []credential.DoorLogin{{Door: "not-in-the-file"}}, unseen: true},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p := newPeopled(t, nil, names...)
	down := newPage(t)
	down.at = "127.0.0.1:1"
	var all opened.Doors
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{Now: time.Now, Settings: func(string) door.Settings { return door.Settings{Type: "http"} }, Open: func(name string) (*opened.Door, error) {
		at := map[string]*page{"gateway": gateway, "nas": nas, "down": down}[name]
		if at == nil {
			return nil, errors.New("none of that name")
		}
		return all.Open(at.door())
	}}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := credential.Credential{ID: "person/esg-01/" + row.name, Name: row.name, Kind: credential.SecretByHand, Doors: row.doors, Task: &credential.Task{At: &credential.Path{Mount: "kv", Path: "net/" + row.name, Field: "value"}}}
			if c.Doors == nil {
				c.Doors = slices.Clone(doors)
			}
			for i := range c.Doors {
				c.Doors[i].Login = row.name
			}
			p.put(row.name, "stolen-of-"+row.name)
			was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
			require.NoError(t, err)
			c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
			p.put(row.name, "new")
			gateway.take(row.name, "new")
			nas.take(row.name, "new")
			row.since(p, row.name)
			got := asking.LookAgain(t.Context(), []credential.Credential{c}, row.left)
			require.Len(t, got, 1)
			require.Equal(t, row.opened, got[0].Stop != nil, "%+v", got[0].Stop)
			require.Equal(t, row.unseen, got[0].Unseen)
			if row.opened {
				require.Equal(t, protocol.ReasonChangedSince, got[0].Stop.Reason)
				require.NotContains(t, got[0].Stop.Detail, row.name, "it crosses Temporal")
			}
			for _, at := range []*page{gateway, nas} {
				require.NotContains(t, at.tried(row.name), "stolen-of-"+row.name)
				wrong := 0
				for _, value := range at.tried(row.name) {
					if !slices.Contains(at.takes[row.name], value) {
						wrong++
					}
				}
				require.LessOrEqual(t, wrong, 1)
			}
		})
	}
}

// One door is shut at midnight, the other one in the morning. Who kept a
// session set the stolen value again at the first one meanwhile.
func TestADoorThatWasShutInAnEarlierLookStillTakesTheNewValue(t *testing.T) {
	const name = "two"
	gateway, nas := newPage(t), newPage(t)
	p := newPeopled(t, nil, name)
	now := time.Now()
	var all opened.Doors
	asking := tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{
		Campaign: "c", Refusals: &rotation.Refusals{}, Now: func() time.Time { return now }, Settings: func(string) door.Settings { return door.Settings{Type: "http", Machines: 1} },
		Open: func(name string) (*opened.Door, error) {
			return all.Open(map[string]*page{"gateway": gateway, "nas": nas}[name].door())
		},
	}}
	p.put(name, "stolen")
	c := credential.Credential{ID: "person/esg-01/" + name, Name: name, Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "gateway", Login: name}, {Door: "nas", Login: name}},
		Task: &credential.Task{At: &credential.Path{Mount: "kv", Path: "net/" + name, Field: "value"}, Ends: []credential.TaskEnd{{Name: "itself"}}}}
	was, err := p.store.ReadLive(t.Context(), *c.Task.At, 0)
	require.NoError(t, err)
	c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
	require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
	p.put(name, "new")
	look := func(atGateway, atNAS string) wire.AskedTask {
		now = now.Add(time.Hour)
		gateway.take(name, atGateway)
		nas.take(name, atNAS)
		out, err := asking.Ask(t.Context(), wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs[:1]}, []credential.Credential{c})
		require.NoError(t, err)
		return out[0]
	}
	require.Equal(t, protocol.ReasonDoorRefusesNew, look("new", "stolen").Stop.Reason, "the nas is not changed")
	before := len(gateway.tried(name))
	require.Equal(t, "nas", look("new", "stolen").Stop.Server)
	require.Len(t, gateway.tried(name), before, "it is not asked again meanwhile")
	got := look("stolen", "new")
	require.NotNil(t, got.Stop)
	require.Equal(t, []string{"gateway", string(protocol.ReasonDoorRefusesNew)}, []string{got.Stop.Server, string(got.Stop.Reason)})
	require.Equal(t, "gateway", look("stolen", "new").Stop.Server)
	require.Nil(t, look("new", "new").Stop)
}

// put writes a value where a row says, as a person does.
func (p *peopled) put(name, value string) {
	p.write("kv/data/net/"+name, map[string]any{"data": map[string]any{"value": value}})
}

// A look that is tried again after its worker died asks no door a second time.
func TestADoorIsAskedOnceInALookWhicheverWorkerDies(t *testing.T) {
	p := newPeopled(t, nil, "nas")
	out := diedAsking(p.in.Refs)
	require.Len(t, out, 1)
	require.Equal(t, protocol.ReasonDoorRefusesNew, out[0].Stop.Reason)
	require.Equal(t, p.in.Refs[0], out[0].Ref)
}
