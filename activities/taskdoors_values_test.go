package activities

import (
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

// signIn is a login form, which takes any text for a value.
type signIn struct {
	mu    sync.Mutex
	takes map[string][]string // values, by login
	asked map[string][]string
	at    string
}

func newSignIn(t *testing.T) *signIn {
	f := &signIn{takes: map[string][]string{}, asked: map[string][]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`<form method="post"><input name="login"><input type="password" name="value"></form>`))
			return
		}
		login, value := r.PostFormValue("login"), r.PostFormValue("value")
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked[login] = append(f.asked[login], value)
		if slices.Contains(f.takes[login], value) {
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("wrong name or password"))
	}))
	t.Cleanup(s.Close)
	f.at = strings.TrimPrefix(s.URL, "http://")
	return f
}

func (f *signIn) take(login string, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes[login] = values
}

func (f *signIn) asking(p *peopled) tasks.Asking {
	var doors opened.Doors
	at := door.Settings{Type: "http", Address: f.at, TLS: door.ClearText, Path: "/", Login: "{account}", Timeout: time.Minute, Auth: door.ByForm, Machines: 1,
		Form: &door.Form{Body: "login={login}&value={value}", Success: door.Mark{Location: "/home"}, Failure: door.Mark{Body: "wrong name or password"}}}
	return tasks.Asking{Store: p.store, Stopped: func() bool { return false }, DoorAsker: rotation.DoorAsker{Now: time.Now,
		Settings: func(string) door.Settings { return at },
		Open:     func(string) (*opened.Door, error) { return doors.Open(at) }}}
}

// atForm is the task of that number as its row has it, with a door of one end.
func (p *peopled) atForm(i int, made bool) credential.Credential {
	name := p.names[i]
	return credential.Credential{ID: "person/esg-01/" + name, Name: name, Kind: credential.SecretByHand, Doors: []credential.DoorLogin{{Door: "nas", Login: name}},
		Task: &credential.Task{Make: made, Ends: []credential.TaskEnd{{Name: "itself"}}, At: &credential.Path{Mount: "kv", Path: "net/" + name, Field: "value"}}}
}

// listed notes what lies there as stolen.
func (p *peopled) listed(c *credential.Credential) {
	was, err := p.store.ReadLive(p.t.Context(), *c.Task.At, 0)
	require.NoError(p.t, err)
	c.Task.Stolen = []credential.StolenVersion{{Version: was.Version, Written: was.Written}}
}

func (p *peopled) asked(a tasks.Asking, i int, c credential.Credential) wire.AskedTask {
	p.t.Helper()
	out, err := a.Ask(p.t.Context(), wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot, Refs: p.in.Refs[i : i+1]}, []credential.Credential{c})
	require.NoError(p.t, err)
	require.Len(p.t, out, 1)
	return out[0]
}

// privateKey looks like one, as its file has it.
func privateKey(text string) string {
	return "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + text + "\n-----END OPENSSH " + "PRIVATE KEY-----\n"
}

// People store a file whole, or a name before the secret. What its readers take
// of that is stolen, and is what opens the door.
func TestAStolenValueIsKnownInWhateverFormItLiesThere(t *testing.T) {
	rows := []struct {
		name        string
		stolen, new string   // as they lie in Vault
		takes       []string // by the door, afterwards
		why         protocol.Reason
		says        string
	}{
		{name: "same-without-the-end-of-its-line", stolen: "stolen-1\n", new: "stolen-1", takes: []string{"stolen-1"}, why: protocol.ReasonByHand, says: "is the stolen one"},
		{name: "same-with-the-end-of-a-line", stolen: "stolen-1", new: "stolen-1\r\n", takes: []string{"stolen-1"}, why: protocol.ReasonByHand, says: "is the stolen one"},
		{name: "both-with-the-end-of-a-line", stolen: "stolen-1\n", new: "renewed-1\n", takes: []string{"stolen-1", "renewed-1"}, why: protocol.ReasonDoorTakesOld},
		{name: "behind-its-name", stolen: "behind-its-name:stolen-1", new: "renewed-1", takes: []string{"stolen-1", "renewed-1"}, why: protocol.ReasonDoorTakesOld},
		{name: "it-looks-like-a-setting", stolen: "password=stolen-1", new: "renewed-1", takes: []string{"password=stolen-1", "renewed-1"}, why: protocol.ReasonDoorTakesOld},
		{name: "it-is-a-setting", stolen: "password=stolen-1", new: "password=renewed-1", takes: []string{"stolen-1", "renewed-1"}, why: protocol.ReasonDoorTakesOld},
		{name: "a-private-key", stolen: privateKey("stolen"), new: privateKey("renewed"), takes: []string{strings.TrimSpace(privateKey("stolen")), strings.TrimSpace(privateKey("renewed"))}, why: protocol.ReasonDoorTakesOld},
		{name: "a-private-key-that-was-changed", stolen: privateKey("stolen"), new: privateKey("renewed"), takes: []string{strings.TrimSpace(privateKey("renewed"))}},
		{name: "changed", stolen: "stolen-1\n", new: "renewed-1\n", takes: []string{"renewed-1"}},
		{name: "changed-behind-its-name", stolen: "changed-behind-its-name:stolen-1", new: "changed-behind-its-name:renewed-1", takes: []string{"renewed-1"}},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p, form := newPeopled(t, func(c *credential.Credential) { c.Task.Make = false }, names...), newSignIn(t)
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := p.atForm(i, false)
			p.put(row.name, row.stolen)
			p.listed(&c)
			p.put(row.name, row.new)
			form.take(row.name, row.takes...)
			got := p.asked(form.asking(p), i, c)
			if row.why == "" {
				require.Nil(t, got.Stop)
				require.Equal(t, protocol.ProofDoors, got.Proof)
				require.Equal(t, protocol.Refused, got.Doors[0].Old)
				return
			}
			require.NotNil(t, got.Stop, "the stolen value is in force: %+v", got)
			require.Equal(t, row.why, got.Stop.Reason, got.Stop.Detail)
			require.Contains(t, got.Stop.Detail, row.says)
		})
	}
}

// Somebody else saw what was handed over first, so another value was made. That
// the door takes the first one is no better than that it takes the stolen one.
func TestAValueThatWasDiscardedHasToBeRefusedToo(t *testing.T) {
	rows := []struct {
		name    string
		written bool // the first value, where the row says
		does    func(first, second string) []string
		why     protocol.Reason
		says    string
		proof   protocol.Proof
	}{
		{name: "left-as-it-was-handed-over-first", written: true, does: func(first, _ string) []string { return []string{first} }, why: protocol.ReasonByHand, says: "not to be used any more"},
		{name: "both-are-keys", does: func(first, second string) []string { return []string{second, first} }, why: protocol.ReasonDoorTakesOld},
		{name: "changed-twice", does: func(_, second string) []string { return []string{second} }, proof: protocol.ProofDoors},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p, form := newPeopled(t, nil, names...), newSignIn(t)
	p.open()
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := p.atForm(i, true)
			p.put(row.name, "stolen-1")
			p.listed(&c)
			first := p.staged(row.name).Secret.Reveal()
			if row.written {
				p.put(row.name, first)
			}
			require.NoError(t, p.store.Discard(t.Context(), "c", c.ID, 1))
			require.NoError(t, p.store.MoveTask(t.Context(), "c", c.ID, 1, []string{p.entity("alice")}))
			in := p.in
			in.Refs, in.Moved = p.in.Refs[i:i+1], []wire.Moved{{Ref: p.in.Refs[i], Times: 1}}
			var opened []wire.OpenedTask
			p.call(wire.DoOpenTasks, in, &opened)
			second := p.staged(row.name).Secret.Reveal()
			require.NotEqual(t, first, second)
			form.take(row.name, row.does(first, second)...)
			got := p.asked(form.asking(p), i, c)
			if row.why == "" {
				require.Nil(t, got.Stop)
				require.Equal(t, row.proof, got.Proof)
				return
			}
			require.NotNil(t, got.Stop, "what somebody else has seen is in force: %+v", got)
			require.Equal(t, row.why, got.Stop.Reason, got.Stop.Detail)
			require.Contains(t, got.Stop.Detail, row.says)
			require.NotContains(t, got.Stop.Detail, row.name, "it crosses Temporal")
		})
	}
}

// The row says to write it there, and a campaign that comes after takes what
// lies there for stolen.
func TestAHandedOverValueIsNoStolenOneWhereAPersonHasWrittenIt(t *testing.T) {
	const name = "written-and-listed-again"
	p, form := newPeopled(t, nil, name), newSignIn(t)
	p.open()
	c := p.atForm(0, true)
	p.put(name, "stolen-1")
	p.listed(&c)
	stolen, handed := c.Task.Stolen, p.staged(name).Secret.Reveal()
	p.put(name, handed)
	p.listed(&c)
	c.Task.Stolen = append(stolen, c.Task.Stolen...)
	form.take(name, handed)
	got := p.asked(form.asking(p), 0, c)
	require.Nil(t, got.Stop, "%+v", got.Stop)
	require.Equal(t, protocol.ProofDoors, got.Proof)
	form.take(name, "stolen-1", handed)
	require.Equal(t, protocol.ReasonDoorTakesOld, p.asked(form.asking(p), 0, c).Stop.Reason)
}
