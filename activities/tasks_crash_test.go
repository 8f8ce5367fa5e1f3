package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/people"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
)

// mortal stands between a process and Vault: at one request to write it kills
// the process, before Vault has it or after Vault has done it. It sees what
// values were written, and where.
type mortal struct {
	to    *httputil.ReverseProxy
	front *httptest.Server
	store *ownmount.Store

	mu     sync.Mutex
	writes int // requests to write so far
	at     int // the one at which the process dies; 0: it lives
	after  bool
	dead   bool
	kill   context.CancelFunc
	staged []string            // values, in the order in which they were staged
	lay    map[string][]string // paths to which one was written
}

func (m *mortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	write := r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodDelete
	var dies bool
	if write {
		m.writes++
		dies = m.writes == m.at
	}
	before := dies && !m.after
	if m.dead = m.dead || before; m.dead {
		if dies {
			m.kill()
		}
		m.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	m.mu.Unlock()

	answer := httptest.NewRecorder()
	m.to.ServeHTTP(answer, r)
	if write && answer.Code < 300 {
		m.saw(strings.TrimPrefix(r.URL.Path, "/v1/rollcall/data/"), body)
	}
	if dies {
		m.mu.Lock()
		m.dead = true
		m.kill()
		m.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (m *mortal) saw(path string, body []byte) {
	var in struct {
		Data struct{ Secret, Value string }
	}
	if json.Unmarshal(body, &in) != nil || in.Data.Secret+in.Data.Value == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value := in.Data.Secret + in.Data.Value
	if in.Data.Secret != "" && !slices.Contains(m.staged, value) {
		m.staged = append(m.staged, value)
	}
	m.lay[value] = append(m.lay[value], path)
}

// lifetime is a campaign with one task of two ends, on a Vault that others use.
type lifetime struct {
	t         *testing.T
	m         *mortal
	campaign  string
	id        string
	in        wire.Tasks
	who       map[string]string // entities
	dir       string
	rotation  *Rotation
	ledger    *Ledger
	processes int
	crossed   []byte // what went through Temporal
}

// restart is another process, which remembers nothing.
func (l *lifetime) restart() {
	l.processes++
	if l.ledger != nil {
		// As the kernel does: Vault is out of its reach by now.
		for _, log := range l.ledger.logs {
			_ = log.Close(l.t.Context())
		}
	}
	l.rotation = NewRotation(l.m.store, registry.New(l.m.store.Client))
	l.ledger = &Ledger{Store: l.m.store, Dir: l.dir}
}

// alive runs something in a process, and in another one where the first is
// killed meanwhile.
func (l *lifetime) alive(do func(ctx context.Context) error) {
	l.t.Helper()
	for {
		ctx, kill := context.WithCancel(l.t.Context())
		l.m.mu.Lock()
		l.m.kill, l.m.dead = kill, false
		l.m.mu.Unlock()
		err := do(ctx)
		kill()
		l.m.mu.Lock()
		died := l.m.dead
		if died {
			l.m.at = 0
		}
		l.m.mu.Unlock()
		if !died {
			require.NoError(l.t, err)
			return
		}
		l.restart()
	}
}

// call is an activity, as Temporal calls it again when its worker is gone.
func (l *lifetime) call(name string, in, out any) {
	l.t.Helper()
	l.alive(func(ctx context.Context) error {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
		env.RegisterActivity(l.rotation)
		env.RegisterActivity(l.ledger)
		got, err := env.ExecuteActivity(name, in)
		if err != nil {
			return err
		}
		if out != nil {
			err = got.Get(out)
		}
		for _, v := range []any{in, out} {
			data, _ := json.Marshal(v)
			l.crossed = append(l.crossed, data...)
		}
		return err
	})
}

// say is a person's command, who says it again where he does not see that it
// was said.
func (l *lifetime) say(by string, st people.Statement) {
	l.alive(func(ctx context.Context) error {
		said, err := l.m.store.OwnWords(ctx, l.who[by], l.campaign, l.id)
		if err != nil || slices.ContainsFunc(said, func(s people.Statement) bool {
			return s.Does == st.Does && s.End == st.End && s.To == st.To && s.Note == st.Note
		}) {
			return err
		}
		_, err = l.m.store.WriteStatement(ctx, l.who[by], l.campaign, l.id, st)
		return err
	})
}

// open is what the workflow does with tasks that are not handed over to whoever
// sees to them.
func (l *lifetime) open(moved []wire.Moved, round int) {
	in := l.in
	in.Moved = moved
	var opened []wire.OpenedTask
	l.call(wire.DoOpenTasks, in, &opened)
	require.Nil(l.t, opened[0].Stop)
	if moved == nil || opened[0].Again > 0 {
		l.call(wire.DoRecordTasks, wire.TasksInput{Tasks: in, Items: opened, Round: round}, nil)
	}
}

func (l *lifetime) look() (out wire.TasksLook) {
	l.call(wire.DoLookAtTasks, l.in, &out)
	return out
}

// run is the life of the task: opened, one end done, the other given on, the
// value discarded, both done.
func (l *lifetime) run() {
	require := require.New(l.t)
	l.open(nil, 1)
	l.say("alice", people.Statement{Does: people.Done, End: "gateway"})
	require.Empty(l.look().Moved)
	l.say("bob", people.Statement{Does: people.Reassign, End: "NPS", To: "people/carol", Note: "on leave"})
	moved := l.look().Moved
	require.Equal([]wire.Moved{{Ref: l.in.Refs[0], Times: 1}}, moved)
	l.open(moved, 2)
	require.Empty(l.cards("bob"), "it is taken from who gave it away")
	l.say("carol", people.Statement{Does: people.Renew, Note: "it was seen"})
	moved = l.look().Moved
	require.Equal(2, moved[0].Times)
	l.say("alice", people.Statement{Does: people.Done, End: "gateway", Note: "with the first value"})
	require.Empty(l.look().Dead)
	l.open(moved, 3)
	require.Equal(l.m.staged[1], l.cards("alice")[0].Value.Reveal())
	l.say("carol", people.Statement{Does: people.Done, End: "NPS"})
	require.Empty(l.look().Dead, "what was done with the first value is not done")
	l.say("alice", people.Statement{Does: people.Done, End: "gateway", Note: "with the second"})
	require.Equal(l.in.Refs, l.look().Dead)
	l.call(wire.DoCloseTasks, l.in, nil)
}

func (l *lifetime) cards(name string) []ownmount.Card {
	all, err := l.m.store.Cards(l.t.Context(), l.who[name])
	require.NoError(l.t, err)
	return slices.DeleteFunc(all, func(c ownmount.Card) bool { return c.Credential != l.id })
}

// check is how each such life ends, whoever was killed in it.
func (l *lifetime) check() {
	require := require.New(l.t)
	ctx := l.t.Context()
	for name := range l.who {
		require.Empty(l.cards(name), name)
	}
	_, staged, err := l.m.store.ReadStaged(ctx, l.id)
	require.NoError(err)
	require.False(staged)
	require.Len(l.m.staged, 2, "a first value, and one for that which was discarded")
	allowed := map[string][]string{}
	for i, value := range l.m.staged {
		allowed[value] = []string{ownmount.StagingPath(l.id)}
		for _, name := range [][]string{{"alice", "bob", "carol"}, {"alice", "carol"}}[i] {
			allowed[value] = append(allowed[value], l.m.store.CardPlace(l.who[name], l.campaign, l.id).Path)
		}
		require.Subset(allowed[value], l.m.lay[value], "where value %d went", i+1)
		require.NotContains(string(l.crossed), value)
	}
	require.Len(l.m.lay, 2)
	state, err := l.ledger.stateNow(ctx, l.campaign)
	require.NoError(err)
	line := state.Credential(l.id)
	require.Equal(ledger.Dead, line.Outcome)
	require.Empty(line.Findings)
	require.Equal([]string{l.who["alice"], l.who["carol"]}, []string{line.Task.End("gateway").Done.Entity, line.Task.End("NPS").Done.Entity})
	require.Equal("with the second", line.Task.End("gateway").Done.Note)
	require.Len(line.Task.Moved, 1)
	require.Len(line.Task.Renewed, 1)
	folder := filepath.Join(l.dir, l.campaign)
	key, err := l.m.store.VerifierKey(ctx, ledger.Origin(l.campaign))
	require.NoError(err)
	rep, err := ledger.Verify(ctx, folder, key, nil)
	require.NoError(err)
	require.Empty(rep.Problems)
	require.NoError(filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, value := range l.m.staged {
			require.NotContains(string(data), value)
		}
		return err
	}))
}

// A process is killed at each request with which a task changes anything, when
// Vault has done it and before the answer is read. One that dies at another
// request, or before Vault has it, leaves what it left after the one before.
// Whichever it was, the task ends the same: one value and one more where a
// person discarded that, nothing in a place where it does not belong, no card
// that stays.
func TestAProcessThatDiesAtAnyRequestOfATaskChangesNothingOfItsEnd(t *testing.T) {
	const lives = 3 // at a time
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	server, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	t.Setenv("HOME", t.TempDir())
	server.UseIn(t, server.RootToken().Reveal())
	to, err := url.Parse(server.Address())
	require.NoError(t, err)
	spec := &config.Campaign{Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}, Limits: config.Limits{Parallel: 1}}
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	direct, err := ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = direct.Close() })
	_, err = setup.Run(ctx, direct, spec, nil)
	require.NoError(t, err)
	require.NoError(t, direct.API().Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
	who := map[string]string{}
	for _, name := range []string{"alice", "bob", "carol"} {
		_, err = direct.API().Logical().Write("auth/people/users/"+name, map[string]any{"password": "not-a-secret"})
		require.NoError(t, err)
		in, err := direct.API().Logical().Write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"})
		require.NoError(t, err)
		who[name] = in.Auth.EntityID
	}
	fronts := make(chan *mortal, lives)
	for range lives {
		m := &mortal{to: httputil.NewSingleHostReverseProxy(to), kill: func() {}}
		m.front = httptest.NewServer(m)
		t.Cleanup(m.front.Close)
		t.Setenv("VAULT_ADDR", m.front.URL)
		m.store, err = ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = m.store.Close() })
		fronts <- m
	}
	live := func(t *testing.T, at int, after bool) *lifetime {
		m := <-fronts
		defer func() { fronts <- m }()
		name := fmt.Sprintf("at-%d-%t", at, after)
		l := &lifetime{t: t, m: m, campaign: name, id: "person/esg-01/" + name, who: who, dir: folderOf(t)}
		m.at = 0
		l.restart()
		require.NoError(t, Open(ctx, direct, ownmount.CampaignRecord{Campaign: name, Device: name}, data))
		index, err := direct.WriteRoll(ctx, &credential.Roll{Campaign: name, Device: name, Waves: []credential.Wave{{Name: "by people", Tasks: true}}, Credentials: []credential.Credential{{
			ID: l.id, Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Subject: "esg-01/" + name, Name: name,
			Task: &credential.Task{Make: true, Due: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Ends: []credential.TaskEnd{{Name: "gateway", Owner: "people/alice"}, {Name: "NPS", Owner: "people/bob"}}},
		}}})
		require.NoError(t, err)
		l.in = wire.Tasks{Campaign: name, Snapshot: index.Snapshot, Refs: credential.Refs{{}}}
		l.call("RecordRoll", wire.Roll{Campaign: name, Device: name, Snapshot: index.Snapshot, Pages: 1, Listed: 1}, nil)
		m.mu.Lock()
		m.writes, m.at, m.after, m.staged, m.lay = 0, at, after, nil, map[string][]string{}
		m.mu.Unlock()
		l.run()
		l.check()
		return l
	}
	undisturbed := live(t, 0, false)
	n := undisturbed.m.writes
	require.Greater(t, n, 20)
	require.Equal(t, 1, undisturbed.processes)
	t.Run("killed", func(t *testing.T) {
		for at := range n + 1 {
			t.Run(fmt.Sprintf("at %d", at), func(t *testing.T) {
				t.Parallel()
				require.Equal(t, 2, live(t, max(at, 1), at > 0).processes, "it was killed")
			})
		}
	})
}
