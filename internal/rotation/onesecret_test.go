package rotation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/vault/ownmount"
)

// besides are credentials that a campaign has rotated, and that lie in one
// secret.
type besides struct {
	v    *realVault
	rot  func() *Rotator
	cs   []credential.Credential
	done []Applied
}

// rotated takes them through Prepare, Apply, the look after the batch, the
// notes of where they were activated, and Clean, in the order of a campaign.
func (b *besides) rotated(t *testing.T) {
	rot := b.rot()
	var prepared []Prepared
	for _, c := range b.cs {
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		prepared = append(prepared, p)
	}
	b.done = nil
	for i, c := range b.cs {
		b.done = append(b.done, rot.Apply(t.Context(), c, prepared[i].Attempt, prepared[i].Fresh))
		require.True(t, b.done[i].Dead(), "%+v", b.done[i].Stop)
	}
	var verdicts []Verdict
	for i, c := range b.cs {
		verdicts = append(verdicts, Verdict{c, &b.done[i]})
	}
	rot.Confirm(t.Context(), verdicts)
	for _, d := range b.done {
		require.True(t, d.Dead(), "%+v", d.Stop)
	}
	// The later one is noted first, as by another worker.
	for i := len(b.cs) - 1; i >= 0; i-- {
		d := b.done[i]
		require.NoError(t, b.v.store.RecordActivated(t.Context(), map[string][]ownmount.Placed{b.cs[i].ID: {{Path: b.cs[i].Paths[0], Version: d.To[0], Written: d.Written[0], Over: d.Over[0]}}}))
	}
	for i, c := range b.cs {
		lost, err := rot.Clean(t.Context(), c, b.done[i].ToClean())
		require.NoError(t, err)
		require.Nil(t, lost)
	}
}

// asProved looks at all once more, as at the end of the campaign.
func (b *besides) asProved(t *testing.T) {
	t.Helper()
	var proved []recheck.Proved
	for i, c := range b.cs {
		proved = append(proved, provedOf(c, b.done[i]))
	}
	for i, l := range b.rot().Recheck(t.Context(), proved) {
		require.Equal(t, recheck.Looked{}, l, b.cs[i].Name)
	}
}

// asActivated holds what lies there against the notes, as another process reads
// them.
func (b *besides) asActivated(t *testing.T) {
	t.Helper()
	later, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "transit"})
	require.NoError(t, err)
	defer func() { require.NoError(t, later.Close()) }()
	for _, c := range b.cs {
		live, err := later.ReadLive(t.Context(), c.Paths[0], 0)
		require.NoError(t, err)
		since, err := later.SinceActivated(t.Context(), c.ID, c.Paths[0], live)
		require.NoError(t, err)
		require.Equal(t, ownmount.AsActivated, since, c.Name)
	}
}

// onlyTheNewest: no version before it is left, for each holds a stolen value.
func (b *besides) onlyTheNewest(t *testing.T) {
	t.Helper()
	now, err := b.v.store.ReadLive(t.Context(), b.cs[0].Paths[0], 0)
	require.NoError(t, err)
	for n := 1; n < now.Version; n++ {
		was, err := b.v.store.ReadLive(t.Context(), b.cs[0].Paths[0], n)
		require.NoError(t, err)
		require.False(t, was.Found, "version %d", n)
	}
}

func TestAccountsInOneSecretStayKnownByWhatWasActivated(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}, LastBind: true})
	b := &besides{v: startRealVault(t)}
	b.rot = func() *Rotator { rot := r.rotator(); rot.Store = b.v.store; return rot }
	data := map[string]any{}
	for n, field := range []string{"ldap_password", "smtp_password", "imap_password"} {
		c := r.credential(n)
		at := credential.Path{Mount: "kv", Path: "apps/esg", Field: field}
		data[field] = r.accounts[n].Password
		c.Paths, c.Named = []credential.Path{at}, []credential.Path{at}
		b.cs = append(b.cs, c)
	}
	b.v.write("kv/data/apps/esg", map[string]any{"data": data})
	b.rotated(t)
	b.onlyTheNewest(t)
	// Their own consumers log in, and the server notes when: in another second
	// than the reset.
	changed := time.Now()
	require.Eventually(t, func() bool { return time.Now().Truncate(time.Second).After(changed) }, time.Minute, 20*time.Millisecond)
	for _, c := range b.cs {
		require.True(t, r.logsIn(r.slapd, c.Name, b.v.gets(c.Paths[0])))
	}
	b.asProved(t)
	b.asActivated(t)

	// Somebody changes their passwords by hand. The next campaign writes to the
	// paths that it filled, where their consumers read.
	for _, c := range b.cs {
		r.sets(c.Name, "by hand")
	}
	first := b.rot
	b.rot = func() *Rotator { rot := first(); rot.Campaign, rot.Pass = "esg-01-next", 1; return rot }
	b.rotated(t)
	for i, c := range b.cs {
		require.Len(t, b.done[i].To, 1, "no path of Rollcall's own")
		require.True(t, r.logsIn(r.slapd, c.Name, b.v.gets(c.Paths[0])))
	}
	b.asActivated(t)
}

func TestRolesInOneSecretStayKnownByWhatWasActivated(t *testing.T) {
	c := newCluster(t)
	b := &besides{v: startRealVault(t)}
	c.exec(`CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'of-the-keeper' IN ROLE pg_signal_backend, pg_read_all_stats`, `GRANT SELECT (oid, xmin) ON pg_authid TO keeper`)
	b.rot = func() *Rotator {
		rot := c.as("keeper", "of-the-keeper", time.Minute)
		rot.Store = b.v.store
		return rot
	}
	data := map[string]any{}
	for _, n := range []string{"rw", "ro"} {
		x := c.role("app-"+n, "LOGIN PASSWORD 'stolen-"+n+"'", "")
		at := credential.Path{Mount: "kv", Path: "apps/esg-db", Field: n + "_password"}
		data[at.Field] = "stolen-" + n
		x.Paths, x.Named, x.Confirmed = []credential.Path{at}, []credential.Path{at}, nil
		b.cs = append(b.cs, x)
	}
	b.v.write("kv/data/apps/esg-db", map[string]any{"data": data})
	b.rotated(t)
	b.onlyTheNewest(t)
	b.asProved(t)
	b.asActivated(t)
}
