package activities

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
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
	return door.Settings{Type: "http", Address: p.at, TLS: door.ClearText, Path: "/", Login: "{account}", Timeout: 10 * time.Second}
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

// put writes a value where a row says, as a person does.
func (p *peopled) put(name, value string) {
	p.write("kv/data/net/"+name, map[string]any{"data": map[string]any{"value": value}})
}

// A flush is run once at most. One whose worker died in the middle of it was
// run or not: that is told, once, and it is not run again.
func TestAFlushWhoseWorkerDiedIsToldAndNotRunAgain(t *testing.T) {
	p := newPeopled(t, nil, "flushed", "killed")
	runs := 0
	hook := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runs++ }))
	t.Cleanup(hook.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	spec := &config.Campaign{Device: "esg-01", Doors: map[string]door.Settings{"mail": {Type: "imaps", CA: ca, Flush: &door.Flush{URL: hook.URL}}}}
	flush := func(name string, retried bool) *credential.Finding {
		ask := p.rotation.doorAsker(spec, "c", nil, retried)
		return ask.Flush(t.Context(), credential.Credential{ID: "person/esg-01/" + name}, credential.DoorLogin{Door: "mail", Login: name})
	}
	require.Equal(t, credential.FindingFlushed, flush("flushed", false).Code)
	p.restart()
	require.Nil(t, flush("flushed", true), "it is known what came of it")
	require.Equal(t, 1, runs)

	first, err := p.store.NoteOnce(t.Context(), "c", noteFlush, "mail", "person/esg-01/killed") // and the worker dies
	require.NoError(t, err)
	require.True(t, first)
	p.restart()
	require.Nil(t, flush("killed", false), "somebody else may be running it")
	told := flush("killed", true)
	require.NotNil(t, told)
	require.Equal(t, credential.FindingFlushFailed, told.Code)
	require.Contains(t, told.Detail, "it may have been run or not, and is not run again")
	require.Nil(t, flush("killed", true), "once")
	require.Equal(t, 1, runs)
}

// A look that is tried again after its worker died asks no door a second time.
func TestADoorIsAskedOnceInALookWhicheverWorkerDies(t *testing.T) {
	p := newPeopled(t, nil, "nas")
	out := diedAsking(p.in.Refs)
	require.Len(t, out, 1)
	require.Equal(t, protocol.ReasonDoorRefusesNew, out[0].Stop.Reason)
	require.Equal(t, p.in.Refs[0], out[0].Ref)
}
