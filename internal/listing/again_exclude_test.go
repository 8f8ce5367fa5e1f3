package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// A person learned that it is hard-coded in a machine. He excludes it, and it
// must keep its value.
func TestWhatThePersonExcludesByNowComesOffTheRoll(t *testing.T) {
	keep := credential.Exclusion{ID: "corp/keep", Name: "keep", Reason: "hard-coded in the PLC: must keep its value"}
	was := rollOf(acc("keep", "k"), acc("moved", "m"), acc("gone", "g"))
	p := Again("p1", was, &credential.Roll{Credentials: []credential.Credential{acc("moved", "k")}, Excluded: []credential.Exclusion{keep}}, nil, nil)
	require.Equal(t, credential.Refs{ref(0)}, p.Replaced)
	require.Equal(t, []credential.Exclusion{keep}, p.Excluded)
	require.Equal(t, credential.Refs{ref(2)}, p.Gone)

	fit, off := Fits(p, was, []int{0}, p.Replaced)
	require.Equal(t, []int{0}, fit, "its path is free for another one")
	require.Equal(t, credential.Refs{ref(0)}, off)
	fit, off = Fits(p, was, nil, p.Replaced)
	require.Empty(t, fit)
	require.Equal(t, credential.Refs{ref(0)}, off, "also where nothing else is taken up")
	settled := Settled(p, was, off, nil)
	require.Equal(t, []credential.Exclusion{keep}, settled.Excluded)
	require.Empty(t, settled.Warnings)

	fit, off = Fits(p, was, []int{0}, nil)
	require.Empty(t, fit, "a new value was announced for it: its path stays its own")
	settled = Settled(p, was, off, nil)
	require.Empty(t, settled.Excluded)
	require.Len(t, settled.Warnings, 1)
	require.Equal(t, 1, settled.Incomplete)
	require.Equal(t, credential.FindingNotTakenUp, settled.Warnings[0].Code)
	require.Contains(t, settled.Warnings[0].Detail, "corp: keep is excluded by now, and stays on the roll: the exclude comes too late")
	require.Empty(t, Settled(p, was, off, settled.Warnings).Warnings, "it is said once")
	require.Empty(t, p.Warnings)
}

// What waits for them was settled when the campaign began.
func TestALoginOrATaskThatIsExcludedByNowStaysAndIsNotForgotten(t *testing.T) {
	login := credential.Credential{ID: "vault/approle/a", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/a", Name: "a"}
	task := credential.Credential{ID: "person/radius", Name: "radius", Task: &credential.Task{}}
	own := acc("own")
	own.Own = true
	was := rollOf(login, task, own)
	now := &credential.Roll{}
	for _, w := range was {
		require.NotEmpty(t, ExcludedStays(w.Credential))
		now.Excluded = append(now.Excluded, credential.Exclusion{ID: w.ID, Name: w.Name, Reason: "looked"})
	}
	p := Again("p1", was, now, nil, nil)
	require.Equal(t, now.Excluded, p.Excluded)
	require.Empty(t, p.Replaced)
	require.Empty(t, p.Gone)
	require.Equal(t, 3, Settled(p, was, nil, nil).Incomplete)
}
