package ldappassword

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A binder with write only is bound by the policy. Each refusal must be told
// apart, say what to do, and leave the old value in force.
func TestWriteOnlyBinderIsToldWhichPolicyRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		policy lab.SlapdPolicy
		// reuse offers the value in force once more instead of a new one.
		reuse  bool
		known  bool // the old value
		reason protocol.Reason
		words  string
	}{
		"too young":                    {policy: lab.SlapdPolicy{MinAge: 48 * time.Hour}, known: true, reason: protocol.ReasonPolicy, words: "pwdMinAge"},
		"in history":                   {policy: lab.SlapdPolicy{History: 5}, reuse: true, known: true, reason: protocol.ReasonPolicy, words: "pwdInHistory"},
		"too short":                    {policy: lab.SlapdPolicy{MinLength: 100}, known: true, reason: protocol.ReasonPolicy, words: "password.length"},
		"old demanded and not known":   {policy: lab.SlapdPolicy{SafeModify: true}, reason: protocol.ReasonPolicy, words: "it is unknown"},
		"old demanded and a wrong one": {policy: lab.SlapdPolicy{SafeModify: true}, known: true, reason: protocol.ReasonPolicy, words: "does not take"},
	} {
		for _, set := range []string{"exop", "replace"} {
			t.Run(name+" by "+set, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, row.policy, false)
				d := w.writer()
				d.Set = set
				a := w.open(t, d)
				c, old := w.credential(t)
				acc := account(t, a, c)
				next := fresh(t, a)
				if row.reuse {
					next = old
				}
				offered := credential.Secret{}
				if row.known {
					offered = old
				}
				if row.words == "does not take" {
					offered = fresh(t, a)
				}
				requireStop(t, a.Set(t.Context(), acc, next, offered), row.reason, row.words)
				require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, old))
			})
		}
	}
}

func TestWriteOnlyBinderResetsWithTheOldValueWhereThePolicyDemandsIt(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{SafeModify: true, History: 5}, false)
	for _, set := range []string{"exop", "replace"} {
		d := w.writer()
		d.Set = set
		a := w.open(t, d)
		c, old := w.credential(t)
		acc := account(t, a, c)
		next := fresh(t, a)
		require.NoError(t, a.Set(t.Context(), acc, next, old))
		require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, old))
		require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, next))
	}
}

func TestRightsMissingIsSaidSo(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	a := w.open(t, w.binder())
	// The binder's rights end at ou=people.
	dn := w.provider.WriterDN
	c := credential.Credential{Kind: credential.LDAPPassword, Authority: "corp", Subject: w.attr(t, w.provider, dn, "entryUUID"), Name: dn}
	requireStop(t, a.Set(t.Context(), account(t, a, c), fresh(t, a), credential.Secret{}), protocol.ReasonRights, "may not write userPassword")
}

func TestReplicaAsWriteServerIsSaidSo(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, true)
	d := w.binder()
	d.Servers = []string{w.replica.LDAPS(), w.provider.LDAPS()}
	a := w.open(t, d)
	c, _ := w.credential(t)
	requireStop(t, a.Set(t.Context(), account(t, a, c), fresh(t, a), credential.Secret{}), protocol.ReasonReadOnly, "name the provider")
}

// pwdMustChange: the bind with the new value succeeds, and everything else is
// refused. That is not a value consumers can use.
func TestResetThatMustBeChangedIsNotAccepted(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MustChange: true}, true)
	a := w.open(t, w.binder())
	c, old := w.credential(t)
	acc := account(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, old))
	require.Equal(t, "TRUE", w.attr(t, w.provider, c.Name, "pwdReset"))
	require.Equal(t, protocol.MustChange, try(t, a, w.provider.LDAPS(), acc, next))
	require.NoError(t, w.replica.AwaitReplication(t.Context()))
	require.Equal(t, protocol.MustChange, try(t, a, w.replica.LDAPS(), acc, next))
	require.Equal(t, protocol.Refused, try(t, a, w.provider.LDAPS(), acc, old))
}

// slapd 2.5 marks what an administrator has set, and takes manage for that:
// what an identity with write alone has set works.
func TestAResetByWriteAloneNeedNotBeChanged(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MustChange: true}, false)
	for _, set := range []string{"exop", "replace"} {
		d := w.writer()
		d.Set = set
		a := w.open(t, d)
		c, old := w.credential(t)
		acc, next := account(t, a, c), fresh(t, a)
		require.NoError(t, a.Set(t.Context(), acc, next, old))
		require.Equal(t, protocol.Accepted, try(t, a, w.provider.LDAPS(), acc, next))
	}
}

func TestOwnIdentityIsNotTouched(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	a := w.open(t, w.binder())
	dn := w.provider.BinderDN
	c := credential.Credential{Subject: w.attr(t, w.provider, dn, "entryUUID"), Name: dn}
	_, err := a.Account(t.Context(), a.Servers()[0], c)
	requireStop(t, err, protocol.ReasonSelf, "bind.dn")
}

func TestVaultPolicyMakesTheValue(t *testing.T) {
	p := config.PasswordPolicy{VaultPolicy: "esg"}
	a := New(nil, p, func(_ context.Context, policy string) (credential.Secret, error) {
		return credential.NewSecret("made by " + policy), nil
	})
	v, err := a.Generate(t.Context(), credential.Credential{})
	require.NoError(t, err)
	require.Equal(t, "made by esg", v.Reveal())
}
