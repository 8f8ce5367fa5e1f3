package rotation

import (
	"cmp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// noted is an account at whose first path an earlier campaign has put the value
// in force, as the notes say. Nothing else names that path.
func noted() *world {
	w := newWorld(1, "P0")
	w.secrets["kv/app"].versions[0].strangers = false
	w.cred.Ours, w.cred.Named = w.cred.Paths, nil
	w.noted = map[string]placed{"kv/app": {1, w.secrets["kv/app"].versions[0].at}}
	return w
}

// giveAway has somebody write another account's value to the first path.
func (w *world) giveAway() *world {
	w.strangerWrites(0, "another's")
	w.foreign["kv/app"] = true
	return w
}

// elsewhereToo is a second path, which holds the value in force.
func (w *world) elsewhereToo() *world {
	w.addPath("second", "P0")
	return w
}

// confirms has a person say of a version of the first path, written then, that
// it is the account's.
func (w *world) confirms(version int, written time.Time) {
	at := w.cred.Paths[0].String()
	w.cred.ConfirmedAt, w.cred.ConfirmedWritten = map[string]int{at: version}, map[string]time.Time{at: written}
}

type givenRow struct {
	name     string
	story    func() *world
	reason   protocol.Reason
	findings []credential.FindingCode
	live     string // what the path holds, if it is not the new value
	aside    bool   // the new value is at Rollcall's own path
}

var givenRows = []givenRow{
	{name: "as it was put there", story: noted},
	{name: "as it was put there, and the account has another password since", story: func() *world {
		w := noted()
		w.strangerSets("X")
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedBefore}},
	{name: "put there by the second of two campaigns, and the account has another password since", story: func() *world {
		w := noted()
		w.secrets["kv/app"].versions = append(w.secrets["kv/app"].versions, version{fields: map[string]string{"password": "P0", "username": "svc"}, at: time.Now().Add(time.Second)})
		w.noted["kv/app"] = placed{2, w.secrets["kv/app"].versions[1].at}
		w.strangerSets("X")
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedBefore}},
	{name: "another field of the secret was changed, and the account has another password since", story: func() *world {
		w := noted()
		w.strangerWrites(0, "P0")
		w.strangerSets("X")
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedBefore}},
	{name: "written since, and the account accepts it", story: func() *world {
		w := noted()
		w.strangerSets("X")
		w.strangerWrites(0, "X")
		return w
	}},
	{name: "given to another account", story: func() *world { return noted().giveAway() },
		findings: elsewhere, live: "another's", aside: true},
	{name: "given to another account, and another path holds the value in force", story: func() *world { return noted().giveAway().elsewhereToo() },
		findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, and a second path is stale", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.addForeign("third", "stale")
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingStalePath}, live: "another's"},
	{name: "given to another account, and a person named it again for the first", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.cred.Named = w.cred.Paths
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, and confirmed for this one before that", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.cred.Named, w.cred.Confirmed = w.cred.Paths[:1], w.cred.Paths[:1]
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, and an earlier version is confirmed for this one", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.cred.Named, w.cred.Confirmed = w.cred.Paths[:1], w.cred.Paths[:1]
		w.confirms(1, w.secrets["kv/app"].versions[0].at)
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, and what it holds now is confirmed for this one", story: func() *world {
		w := noted()
		w.strangerWrites(0, "another's")
		w.theirs["P0"] = true
		w.cred.Confirmed = w.cred.Paths
		w.confirms(2, w.secrets["kv/app"].versions[1].at)
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedBefore, credential.FindingConfirmed}},
	{name: "given to another account, and confirmed without the time of that version", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.cred.Named, w.cred.Confirmed = w.cred.Paths[:1], w.cred.Paths[:1]
		w.confirms(2, time.Time{})
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, confirmed for this one, and since then another field was written", story: func() *world {
		w := noted()
		w.strangerWrites(0, "another's")
		w.theirs["P0"] = true
		w.cred.Confirmed = w.cred.Paths
		w.confirms(2, w.secrets["kv/app"].versions[1].at)
		w.strangerWrites(0, "another's")
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedBefore, credential.FindingConfirmed}},
	{name: "confirmed, and since then deleted and made anew up to that version", story: func() *world {
		w := noted().giveAway().elsewhereToo()
		w.cred.Named, w.cred.Confirmed = w.cred.Paths[:1], w.cred.Paths[:1]
		w.confirms(2, w.secrets["kv/app"].versions[1].at.Add(-time.Minute))
		return w
	}, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "given to another account, and nothing but another secret's word ties this one", story: func() *world {
		w := noted().giveAway()
		w.addForeign("second", "planted")
		return hearsay(w)
	}, reason: protocol.ReasonUnproved, findings: []credential.FindingCode{credential.FindingPathRefused}, live: "another's"},
	{name: "deleted and made anew with the same version number", story: func() *world {
		w := noted()
		s := w.secrets["kv/app"]
		s.versions = nil
		w.theirs["P0"] = true
		w.strangerWrites(0, "another's")
		s.versions[0].at, w.foreign["kv/app"] = s.versions[0].at.Add(time.Minute), true
		return w
	}, findings: elsewhere, live: "another's", aside: true},
	{name: "a note without a version, and the account accepts what is there", story: func() *world {
		w := noted()
		w.noted["kv/app"] = placed{}
		return w
	}},
	{name: "a note without a version, and the account refuses what is there", story: func() *world {
		w := noted().giveAway()
		w.noted["kv/app"] = placed{}
		return w
	}, findings: elsewhere, live: "another's", aside: true},
	{name: "what an ended campaign put there and could not note, and the account has another password since", story: func() *world {
		w := noted()
		at := w.cred.Paths[0].String()
		w.closed["campaign-1"] = true
		w.staging[w.cred.ID] = &ownmount.Staged{Secret: secret("Q"), Campaign: "campaign-1", Attempt: 1, Version: 1, Base: map[string]int{at: 1}, Old: map[string]credential.Secret{at: secret("P0")}}
		w.change("Q")
		s := w.secrets["kv/app"]
		s.versions = append(s.versions, version{fields: map[string]string{"password": "Q", "username": "svc"}, at: time.Now()})
		w.strangerSets("X")
		return w
	}, findings: []credential.FindingCode{credential.FindingChangedDuring}},
	{name: "given to another account after an ended campaign had set a value and not put it there", story: func() *world {
		w := noted()
		at := w.cred.Paths[0].String()
		w.closed["campaign-1"] = true
		w.staging[w.cred.ID] = &ownmount.Staged{Secret: secret("Q"), Campaign: "campaign-1", Attempt: 1, Version: 1, Base: map[string]int{at: 1}, Old: map[string]credential.Secret{at: secret("P0")}}
		w.change("Q")
		return w.giveAway()
	}, findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingSparePath}, live: "another's", aside: true},
}

// TestAPathIsTheAccountsWhileItHoldsWhatRollcallPutThere, and once somebody
// wrote it the account decides.
func TestAPathIsTheAccountsWhileItHoldsWhatRollcallPutThere(t *testing.T) {
	for _, row := range givenRows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := row.story()
				a, dead := w.pass(false)
				w.kept(t, row.name)
				if row.reason != "" {
					require.False(t, dead)
					require.Equal(t, row.reason, a.Stop.Reason, w.story())
				} else {
					require.True(t, dead, "%v\n%s", a.Stop, w.story())
				}
				require.Equal(t, row.findings, codes(a.Findings), w.story())
				require.Equal(t, cmp.Or(row.live, w.write().inForce()), w.live(0))
				if row.aside {
					require.Equal(t, w.write().inForce(), w.spare())
				}
				if row.live != "" && row.reason == "" {
					require.True(t, slices.ContainsFunc(a.Findings, func(f credential.Finding) bool { return f.Code.Undelivered() }), "a person has to answer: exit code 2")
				}
			})
		})
	}
}

// TestAPathThatWasGivenToAnotherIsNeverWrittenWhateverCallFails.
func TestAPathThatWasGivenToAnotherIsNeverWrittenWhateverCallFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range givenRows {
			if row.live == "" || row.reason != "" {
				continue
			}
			for at := 0; at <= 22; at++ {
				for _, f := range allFaults {
					w := row.story()
					w.faults[at] = f
					w.rotate(t, at%2 == 0, row.name)
					require.Equal(t, row.live, w.live(0), "%s\n%s", row.name, w.story())
				}
			}
		}
	})
}

// TestAPathIsNotGivenUpUnasked: where one more wrong login would lock the
// account, what somebody wrote to a path since may still be the account's, and
// nothing is set.
func TestAPathIsNotGivenUpUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := noted().elsewhereToo()
		w.strangerWrites(0, "perhaps its own")
		w.noted["kv/second"] = placed{1, w.secrets["kv/second"].versions[0].at}
		w.maxFails, w.locks = 1, 1
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.ReasonNearLock, a.Stop.Reason, w.story())
		require.Equal(t, "P0", w.write().inForce())
		w.kept(t, "unasked")
	})
}
