package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/tasks"
)

// besides has the campaign rotate and clean the account whose password lies in
// the secret of a task, as Activate and Clean do.
func (p *peopled) besides(name string) {
	p.t.Helper()
	at := credential.Path{Mount: "kv", Path: "net/" + name, Field: "ldap_password"}
	was, err := p.store.ReadLive(p.t.Context(), at, 0)
	require.NoError(p.t, err)
	now, err := p.store.Activate(p.t.Context(), at, was, credential.NewSecret("new-of-the-account"), "")
	require.NoError(p.t, err)
	_, err = p.store.Destroy(p.t.Context(), at, []int{was.Version}, now.Version, now.Written)
	require.NoError(p.t, err)
}

// The version that held the stolen value is destroyed, because of the account
// beside it, and a later one holds that value. Whoever says that it is done has
// changed nothing.
func TestAStolenValueIsKnownWhenAnAccountInTheSameSecretWasCleaned(t *testing.T) {
	rows := []struct {
		name       string
		made, kept bool
		does       func(p *peopled, form *signIn)
		says       string // empty: it is dead
		proof      protocol.Proof
	}{
		{name: "nothing-was-changed", kept: true, says: "is the stolen one"},
		{name: "nothing-was-changed-of-what-was-made", made: true, kept: true, says: "is the stolen one"},
		{name: "changed", kept: true, proof: protocol.ProofDoors, does: func(p *peopled, form *signIn) {
			p.put("changed", "renewed-1")
			form.take("changed", "renewed-1")
		}},
		{name: "both-are-taken", kept: true, says: "still takes the stolen value", does: func(p *peopled, form *signIn) {
			p.put("both-are-taken", "renewed-1")
			form.take("both-are-taken", "stolen-1", "renewed-1")
		}},
		{name: "not-kept", says: "cannot be read any more"},
		{name: "not-kept-of-what-was-made", made: true, says: "write there the value that was handed over"},
		{name: "not-kept-and-what-was-made-lies-there", made: true, proof: protocol.ProofAttested, does: func(p *peopled, form *signIn) {
			name := "not-kept-and-what-was-made-lies-there"
			value := p.staged(name).Secret.Reveal()
			p.put(name, value)
			form.take(name, value)
		}},
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.name)
	}
	p, form := newPeopled(t, nil, names...), newSignIn(t)
	p.open()
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := p.atForm(i, row.made)
			p.write("kv/data/net/"+row.name, map[string]any{"data": map[string]any{"value": "stolen-1", "ldap_password": "stolen-2"}})
			p.listed(&c)
			form.take(row.name, "stolen-1")
			if row.kept {
				require.NoError(t, tasks.KeepStolen(t.Context(), p.store, []credential.Credential{c}))
			}
			p.besides(row.name)
			if row.does != nil {
				row.does(p, form)
			}
			got := p.asked(form.asking(p), i, c)
			if row.says == "" {
				require.Nil(t, got.Stop)
				require.Equal(t, row.proof, got.Proof)
			} else {
				require.NotNil(t, got.Stop, "dead by %q, and the stolen value is in force: %+v", got.Proof, got.Doors)
				require.Contains(t, got.Stop.Detail, row.says)
				require.NotContains(t, got.Stop.Detail, row.name, "it crosses Temporal")
			}
			in := p.in
			in.Refs = p.in.Refs[i : i+1]
			require.NoError(t, tasks.Close(t.Context(), p.store, in, []credential.Credential{c}))
			kept, err := p.client.Logical().Read("rollcall/metadata/staging/person/esg-01/" + row.name + "~stolen")
			require.NoError(t, err)
			require.Nil(t, kept, "what was stolen is kept no longer than the task is open")
		})
	}
}
