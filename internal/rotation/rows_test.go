package rotation

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// row is one pass: what is odd about it, and where it ends.
type row struct {
	name     string
	story    func() *world
	fault    map[int]fault
	event    map[int]func(*world)
	step     protocol.Step
	reason   protocol.Reason
	proof    protocol.Proof
	findings []credential.FindingCode
	inForce  string
	live     string
	left     string // what the second path holds, if it is left as it is
	spare    string // what Rollcall's own path holds
}

// elsewhere are the findings where no path took part.
var elsewhere = []credential.FindingCode{credential.FindingChangedBefore, credential.FindingPathRefused, credential.FindingSparePath}

// hearsay: nothing but the secret's own metadata says whose it is.
func hearsay(w *world) *world {
	w.cred.Hearsay, w.cred.Named, w.cred.Spare = true, nil, nil
	return w
}

// Calls of a first pass with one server and one path.
const (
	callAccount = 1
	callStage   = 4
	callTryOld  = 8
	callSet     = 9
	callVerify  = 10
	callRetire  = 12
	callProve   = 13 // the old value; the new one is the call after
)

func plain() *world { return newWorld(1, "P0") }

// given is a directory that accepts the value before the one in force as well,
// and a Vault that was given its value so long ago.
func given(ago time.Duration) *world {
	w := plain()
	w.grace = true
	w.secrets["kv/app"].versions[0].at = time.Now().Add(-ago)
	return w
}

func state(a protocol.Reply) func(*world) {
	return func(w *world) {
		for _, s := range w.servers {
			s.entries[subject].state = a
		}
	}
}

var rows = []row{
	{name: "in order: dead by bind", story: plain,
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "an earlier campaign brought it to Rollcall's own path, and what consumers read is refused as it was then", story: func() *world {
		w := plain()
		w.secrets["kv/app"].versions[0].fields["owner"] = w.cred.Subject
		w.addPath("second", "stale")
		return w
	}, step: protocol.Prove, proof: protocol.ProofBind, findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingSparePath}, inForce: "S1", live: "S1", left: "stale"},
	{name: "stored with the end of a line: dead by bind, and nobody is accused", story: func() *world {
		w := plain()
		w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\n", true
		return w
	}, step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "stored with the end of a line as Windows writes it", story: func() *world {
		w := plain()
		w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\r\n", true
		return w
	}, step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "a secret that really ends in one", story: func() *world { return newWorld(1, "P0\n") },
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "the account refuses what its path holds: dead by metadata, and the value lies at our own path",
		story: func() *world { w := plain(); w.strangerSets("X"); return w },
		step:  protocol.Prove, proof: protocol.ProofMetadata, findings: elsewhere, inForce: "S1", live: "P0", spare: "S1"},
	{name: "the same, and a person named path and account: it lies there",
		story: func() *world { w := plain(); w.strangerSets("X"); w.cred.Confirmed = w.cred.Paths; return w },
		step:  protocol.Prove, proof: protocol.ProofMetadata, findings: []credential.FindingCode{credential.FindingChangedBefore, credential.FindingConfirmed}, inForce: "S1", live: "S1"},
	{name: "the same, and nothing but the secret itself says whose it is: nothing is set",
		story: func() *world { w := plain(); w.strangerSets("X"); return hearsay(w) },
		step:  protocol.Precheck, reason: protocol.ReasonUnproved, findings: []credential.FindingCode{credential.FindingPathRefused}, inForce: "X", live: "P0"},
	{name: "nothing but the secret itself says whose it is, and the account accepts what it holds",
		story: func() *world { return hearsay(plain()) },
		step:  protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "a secret's metadata without a version names the account: nothing is set",
		story: func() *world { w := plain(); w.secrets["kv/app"] = &kv{}; w.theirs["P0"] = true; return hearsay(w) },
		step:  protocol.Precheck, reason: protocol.ReasonUnproved, findings: []credential.FindingCode{credential.FindingPathRefused}, inForce: "P0", live: ""},
	{name: "a second path is another account's: it is left as it is",
		story: func() *world { w := plain(); w.addForeign("second", "theirs"); return w },
		step:  protocol.Prove, proof: protocol.ProofBind, findings: []credential.FindingCode{credential.FindingStalePath}, inForce: "S1", live: "S1", left: "theirs"},
	{name: "Rollcall's own path holds another credential's value: it is left as it is",
		story: func() *world {
			w := plain()
			w.theirs["P0"], w.cred.Adopted = true, true
			w.secrets["kv/app"].versions[0].fields = map[string]string{"password": "theirs", "owner": "uuid-9"}
			w.foreign["kv/app"] = true
			return w
		},
		step: protocol.Prove, proof: protocol.ProofMetadata, findings: elsewhere, inForce: "S1", live: "theirs", spare: "S1"},
	{name: "Rollcall's own path holds what was set for this credential, and somebody changed it since",
		story: func() *world {
			w := plain()
			w.strangerSets("X")
			w.cred.Adopted = true
			w.secrets["kv/app"].versions[0].fields["owner"] = subject
			return w
		},
		step: protocol.Prove, proof: protocol.ProofMetadata, findings: []credential.FindingCode{credential.FindingChangedBefore}, inForce: "S1", live: "S1"},
	{name: "the account refuses what looks like more than a bare secret: nothing is set",
		story: func() *world { w := plain(); w.formed(0, "PASSWORD=P0"); return w },
		step:  protocol.Precheck, reason: protocol.ReasonNotBare, inForce: "P0", live: "PASSWORD=P0"},
	{name: "the same where a person confirmed the path: what reads it takes a part of it",
		story: func() *world {
			w := plain()
			w.formed(0, "PASSWORD=P0")
			w.cred.Confirmed = w.cred.Paths
			return w
		},
		step: protocol.Precheck, reason: protocol.ReasonNotBare, inForce: "P0", live: "PASSWORD=P0"},
	{name: "the account accepts what looks like more: it is a bare secret",
		story: func() *world {
			w := plain()
			w.secrets["kv/app"].versions[0].fields["more"] = "quotes"
			return w
		},
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "another field holds the same value since it was listed: nothing is set",
		story: func() *world { w := plain(); w.beside(); return w },
		step:  protocol.Precheck, reason: protocol.ReasonCopyBeside, inForce: "P0", live: "P0"},
	{name: "the same between staging and Set",
		story: plain, event: map[int]func(*world){callTryOld - 3: func(w *world) { w.beside() }},
		step: protocol.Intent, reason: protocol.ReasonCopyBeside, inForce: "P0", live: "P0"},
	{name: "the same, and a person accepted it",
		story: func() *world {
			w := plain()
			w.beside()
			w.cred.Accepted = []credential.Problem{credential.CopyBeside}
			return w
		},
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "the same, and it is another credential's path",
		story: func() *world {
			w := plain()
			w.beside()
			w.cred.Beside = []credential.Path{{Mount: w.cred.Paths[0].Mount, Path: w.cred.Paths[0].Path, Field: "copy"}}
			return w
		},
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "a field that holds no bare secret: nothing is set",
		story: func() *world {
			w := plain()
			w.theirs["P0"] = true
			delete(w.secrets["kv/app"].versions[0].fields, "password")
			return w
		},
		step: protocol.Precheck, reason: protocol.ReasonNoField, inForce: "P0", live: ""},
	{name: "a deleted version: it is left as it is, for an undelete brings it back",
		story: func() *world {
			w := plain()
			w.theirs["P0"] = true
			w.secrets["kv/app"].versions[0].deleted = true
			w.foreign["kv/app"] = true
			return w
		},
		step: protocol.Prove, proof: protocol.ProofMetadata, findings: []credential.FindingCode{credential.FindingNeverHeld, credential.FindingPathRefused, credential.FindingSparePath}, inForce: "S1", live: "P0", spare: "S1"},
	{name: "changed long after Vault was given the value, which is accepted for a while yet: a finding, and dead by metadata",
		story: func() *world {
			w := given(10 * time.Minute)
			w.strangerSets("X")
			w.stolen = append(w.stolen, "X")
			return w
		},
		step: protocol.Prove, proof: protocol.ProofMetadata, findings: []credential.FindingCode{credential.FindingChangedBefore}, inForce: "S1", live: "S1"},
	{name: "set a moment after Vault was given the value: nothing odd",
		story: func() *world { w := given(time.Minute); w.change("P0"); return w },
		step:  protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},
	{name: "Vault never held it: a finding, and dead by metadata",
		story: func() *world { w := plain(); w.theirs["P0"] = true; w.secrets["kv/app"] = &kv{}; return w },
		step:  protocol.Prove, proof: protocol.ProofMetadata, findings: []credential.FindingCode{credential.FindingNeverHeld}, inForce: "S1", live: "S1"},
	{name: "two paths that differ: the stale one is left as it is, with a finding",
		story: func() *world { w := plain(); w.addPath("second", "stale"); return w },
		step:  protocol.Prove, proof: protocol.ProofBind, findings: []credential.FindingCode{credential.FindingStalePath}, inForce: "S1", live: "S1", left: "stale"},
	{name: "a stranger wrote the path before Set: a finding, and consumers get ours",
		story: plain, event: map[int]func(*world){callTryOld - 3: func(w *world) { w.strangerWrites(0, "typo") }},
		step: protocol.Prove, proof: protocol.ProofBind, findings: []credential.FindingCode{credential.FindingChangedDuring}, inForce: "S1", live: "S1"},
	{name: "a stranger made a path that was not there: a finding",
		story: func() *world { w := plain(); w.theirs["P0"] = true; w.secrets["kv/app"] = &kv{}; return w },
		event: map[int]func(*world){callTryOld - 3: func(w *world) { w.strangerWrites(0, "P0") }},
		step:  protocol.Prove, proof: protocol.ProofBind, findings: []credential.FindingCode{credential.FindingChangedDuring}, inForce: "S1", live: "S1"},
	{name: "the reply to Set is lost: seen to be in force, not set again", story: plain, fault: map[int]fault{callSet: replyLost},
		step: protocol.Prove, proof: protocol.ProofBind, inForce: "S1", live: "S1"},

	{name: "gone", story: func() *world { w := plain(); state(protocol.Gone)(w); return w },
		step: protocol.Precheck, reason: protocol.ReasonGone, inForce: "P0", live: "P0"},
	{name: "disabled", story: func() *world { w := plain(); state(protocol.Disabled)(w); return w },
		step: protocol.Precheck, reason: protocol.ReasonDisabled, inForce: "P0", live: "P0"},
	{name: "expired", story: func() *world { w := plain(); state(protocol.Expired)(w); return w },
		step: protocol.Precheck, reason: protocol.ReasonExpired, inForce: "P0", live: "P0"},
	{name: "locked", story: func() *world { w := plain(); state(protocol.Locked)(w); return w },
		step: protocol.Precheck, reason: protocol.ReasonLocked, inForce: "P0", live: "P0"},
	{name: "no account on the list", story: func() *world { w := plain(); w.cred.Problem = credential.NoAccount; return w },
		step: protocol.Precheck, reason: protocol.ReasonNoAccount, inForce: "P0", live: "P0"},
	{name: "several accounts match", story: func() *world { w := plain(); w.cred.Problem = credential.Ambiguous; return w },
		step: protocol.Precheck, reason: protocol.ReasonAmbiguous, inForce: "P0", live: "P0"},
	{name: "our own login", story: func() *world { w := plain(); w.cred.Problem = credential.OwnIdentity; return w },
		step: protocol.Precheck, reason: protocol.ReasonSelf, inForce: "P0", live: "P0"},
	{name: "the directory is down before we begin", story: plain, fault: map[int]fault{callAccount: dropped},
		step: protocol.Precheck, reason: protocol.ReasonUnreachable, inForce: "P0", live: "P0"},
	{name: "Vault does not take the new value", story: plain, fault: map[int]fault{callStage: dropped},
		step: protocol.Stage, reason: protocol.ReasonVault, inForce: "P0", live: "P0"},
	{name: "another running campaign has it", story: func() *world {
		w := inherited()
		w.closed["campaign-1"] = false
		return w
	}, step: protocol.Stage, reason: protocol.ReasonOtherOwner, inForce: "P0", live: "P0"},

	{name: "locked after staging", story: plain, event: map[int]func(*world){callTryOld: state(protocol.Locked)},
		step: protocol.Precheck, reason: protocol.ReasonLocked, inForce: "P0", live: "P0"},
	{name: "down after staging", story: plain, event: map[int]func(*world){callTryOld: func(w *world) { w.servers[0].down = time.Now().Add(time.Hour) }},
		step: protocol.Precheck, reason: protocol.ReasonUnreachable, inForce: "P0", live: "P0"},
	{name: "no right to reset", story: func() *world { w := plain(); w.binder.noRights = true; return w },
		step: protocol.Set, reason: protocol.ReasonRights, inForce: "P0", live: "P0"},
	{name: "the policy refuses the value", story: func() *world { w := plain(); w.binder.refuses = map[string]bool{"S1": true}; return w },
		step: protocol.Set, reason: protocol.ReasonPolicy, inForce: "P0", live: "P0"},
	{name: "Set is never answered", story: plain, fault: map[int]fault{callSet: dropped, callSet + 6: dropped, callSet + 12: dropped},
		step: protocol.Set, reason: protocol.ReasonUnreachable, inForce: "P0", live: "P0"},
	{name: "the reset leaves an account that must change its password", story: func() *world { w := plain(); w.binder.mustChange = true; return w },
		step: protocol.Verify, reason: protocol.ReasonMustChange, inForce: "S1", live: "P0"},
	{name: "replaced by somebody right after Set", story: plain, event: map[int]func(*world){callVerify: func(w *world) { w.strangerSets("X") }},
		step: protocol.Verify, reason: protocol.ReasonNewRefused, inForce: "X", live: "P0"},
	{name: "locked right after Set", story: plain, event: map[int]func(*world){callVerify: state(protocol.Locked)},
		step: protocol.Verify, reason: protocol.ReasonLocked, inForce: "S1", live: "P0"},
	{name: "a stranger writes the path between our look and our write", story: plain,
		event: map[int]func(*world){callVerify + 1: func(w *world) { w.strangerWrites(0, "typo") }},
		step:  protocol.Activate, reason: protocol.ReasonConflict, inForce: "S1", live: "typo"},
	{name: "Vault is down at Activate", story: plain, fault: map[int]fault{callVerify + 1: dropped},
		step: protocol.Activate, reason: protocol.ReasonNotActive, inForce: "S1", live: "P0"},
	{name: "Retire is never answered", story: plain, fault: map[int]fault{callRetire: dropped, callRetire + 6: dropped, callRetire + 12: dropped},
		step: protocol.Retire, reason: protocol.ReasonUnreachable, inForce: "S1", live: "S1"},
	{name: "the old value is brought back before Prove", story: plain, event: map[int]func(*world){callProve: (*world).strangerReplays},
		step: protocol.Prove, reason: protocol.ReasonOldAccepted, inForce: "P0", live: "S1"},
	{name: "replaced by somebody during Prove", story: plain, event: map[int]func(*world){callProve + 1: func(w *world) { w.strangerSets("X") }},
		step: protocol.Prove, reason: protocol.ReasonNewRefused, inForce: "X", live: "S1"},
	{name: "locked during Prove", story: plain, event: map[int]func(*world){callProve: state(protocol.Locked)},
		step: protocol.Prove, reason: protocol.ReasonLocked, inForce: "S1", live: "S1"},
	{name: "a replica lags", story: func() *world { w := newWorld(2, "P0"); w.servers[1].lag = time.Hour; return w },
		step: protocol.Prove, reason: protocol.ReasonLagging, inForce: "S1", live: "S1"},
	{name: "a replica is down", story: func() *world { w := newWorld(2, "P0"); w.servers[1].down = time.Now().Add(time.Hour); return w },
		step: protocol.Prove, reason: protocol.ReasonUnreachable, inForce: "S1", live: "S1"},
}

func TestOnePassEndsWhereTheRowSays(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := r.story()
				if r.fault != nil {
					w.faults = r.fault
				}
				if r.event != nil {
					w.events = r.event
				}
				a, dead := w.pass(false)
				w.kept(t, r.name)
				require.Equal(t, r.proof != "", dead)
				require.Equal(t, r.step, a.Step, w.story())
				require.Equal(t, r.proof, a.Proof)
				if r.reason != "" {
					require.NotNil(t, a.Stop)
					require.Equal(t, r.reason, a.Stop.Reason, w.story())
					require.NotEmpty(t, a.Stop.Detail, "a person must learn what to do")
				}
				require.Equal(t, r.findings, codes(a.Findings), w.story())
				require.Equal(t, r.inForce, w.write().inForce())
				require.Equal(t, r.live, w.live(0))
				for i := range w.cred.Paths[1:] {
					require.Equal(t, cmp.Or(r.left, r.live), w.live(i+1))
				}
				if w.cred.Spare != nil {
					require.Equal(t, r.spare, w.at(*w.cred.Spare))
				}
			})
		})
	}
}

func codes(findings []credential.Finding) (out []credential.FindingCode) {
	for _, f := range findings {
		out = append(out, f.Code)
	}
	return out
}

func TestAValueThatStopsWorkingAfterActivationIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain()
		w.events[callProve+1] = func(w *world) { w.strangerSets("X") }
		_, dead := w.pass(false)
		require.False(t, dead)
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.Stage, a.Step)
		require.Equal(t, protocol.ReasonRestaged, a.Stop.Reason)
		require.Equal(t, []credential.FindingCode{credential.FindingChangedAfter}, codes(a.Findings))
		require.Equal(t, "X", w.write().inForce(), "nothing is set before its intent is recorded")
		a, dead = w.pass(false)
		require.True(t, dead, w.story())
		require.Equal(t, 2, a.Attempt)
		require.Equal(t, []int{2}, a.From, "the second attempt replaces the first, not what was there before it")
		require.Equal(t, []int{3}, a.To)
		require.Equal(t, []credential.FindingCode{credential.FindingChangedAfter}, codes(a.Findings), "what was in force is nobody's; the path is ours, so no stranger wrote it")
		require.Equal(t, protocol.ProofMetadata, a.Proof)
		w.kept(t, "changed after rotation")
	})
}

func TestAnOldValueThatOutlivesItsRetirementIsEndedByAnotherValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain()
		w.grace, w.stubborn = true, true
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.ReasonRestaged, a.Stop.Reason, "the next pass need not wait: %s", w.story())
		require.Equal(t, []credential.FindingCode{credential.FindingOutlived}, codes(a.Findings))
		require.Equal(t, "S1", w.write().inForce())
		require.Equal(t, "S1", w.live(0), "consumers have a value that works until the next is set")
		a, dead = w.pass(false)
		require.True(t, dead, w.story())
		require.Equal(t, 2, a.Attempt)
		require.Equal(t, protocol.ProofBind, a.Proof)
		require.Equal(t, []credential.FindingCode{credential.FindingOutlived}, codes(a.Findings))
		require.Equal(t, "S2", w.live(0))
		w.kept(t, "outlived")
	})
}

func TestApplySetsNothingThatIsNotStagedForItsCampaignAndAttempt(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"nothing is staged":          func(w *world) { delete(w.staging, w.cred.ID) },
		"another campaign's":         func(w *world) { w.staging[w.cred.ID].Campaign = "campaign-3" },
		"an attempt without intent":  func(w *world) { w.staging[w.cred.ID].Attempt = 2 },
		"another attempt, set fresh": func(w *world) { w.staging[w.cred.ID].Attempt = 7 },
	} {
		w := plain()
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.True(t, p.Fresh)
		spoil(w)
		a := w.rotator().Apply(context.Background(), w.cred, p.Attempt, true)
		require.NotNil(t, a.Stop, name)
		require.True(t, a.Stop.Reason.Immediate(), "%s: the next pass need not wait", name)
		require.Equal(t, "P0", w.write().inForce(), name)
	}
}

func TestCleanLeavesWhatAnotherCampaignStaged(t *testing.T) {
	w := plain()
	w.closed[us] = true
	w.staging[w.cred.ID] = &ownmount.Staged{Secret: secret("Q"), Campaign: "campaign-3", Attempt: 1, Version: 1}
	lost, err := w.rotator().Clean(context.Background(), w.cred, wire.Dead{Attempt: 1, To: []int{1}, Written: make([]time.Time, 1), Doomed: make([][]int, 1)})
	require.NoError(t, err)
	require.Nil(t, lost, "another campaign's to say")
	require.NotNil(t, w.staging[w.cred.ID])
	_, err = w.rotator().Clean(context.Background(), w.cred, wire.Dead{Attempt: 1})
	require.Error(t, err, "one version for each path")
	require.Equal(t, "P0", w.live(0))
}

func TestATakenOverValueIsKeptUntilItsSuccessorIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inherited()
		w.change("Q")
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		require.Equal(t, 2, p.Attempt)
		require.False(t, p.Fresh)
		w.closed[us] = true
		next := &Rotator{Store: &hand{w: w}, Authority: &hand{w: w}, Campaign: "campaign-3", Now: time.Now}
		p = next.Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		require.True(t, w.inVault("Q"), "a campaign that took over and ended too hands it on")
		require.Equal(t, 3, p.Attempt)
		w.intents[p.Attempt] = true
		a := next.Apply(context.Background(), w.cred, p.Attempt, false)
		require.True(t, a.Dead(), w.story())
		w.kept(t, "taken over twice")
	})
}

// beside makes another field of the secret hold the same value.
func (w *world) beside() { w.secrets["kv/app"].versions[0].fields["copy"] = "P0" }
