package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOnlyRefusedThenAcceptedOnEveryServerIsDead(t *testing.T) {
	good := func(s string) Evidence { return Evidence{Server: s, Old: Refused, New: Accepted} }
	for _, row := range []struct {
		name  string
		ev    []Evidence
		proof Proof
		stop  Reason
	}{
		{"both servers", []Evidence{good("a"), good("b")}, ProofBind, ""},
		{"one server missing", []Evidence{good("a")}, "", ReasonUnreachable},
		{"one still accepts the old value", []Evidence{good("a"), {Server: "b", Old: Accepted, New: Accepted}}, "", ReasonOldAccepted},
		{"one knows the old value and wants it changed", []Evidence{good("a"), {Server: "b", Old: MustChange, New: Accepted}}, "", ReasonOldAccepted},
		{"one knows the old value as expired", []Evidence{good("a"), {Server: "b", Old: PasswordExpired, New: Accepted}}, "", ReasonOldAccepted},
		{"the new one is expired", []Evidence{good("a"), {Server: "b", Old: Refused, New: PasswordExpired}}, "", ReasonMustChange},
		{"one lets nobody in from here", []Evidence{good("a"), {Server: "b", Old: Refused, New: Restricted}}, "", ReasonRestricted},
		{"one refuses both", []Evidence{good("a"), {Server: "b", Old: Refused, New: Refused}}, "", ReasonNewRefused},
		{"one is locked", []Evidence{good("a"), {Server: "b", Old: Locked, New: Locked}}, "", ReasonLocked},
		{"refused as wrong, then found locked", []Evidence{good("a"), {Server: "b", Old: Refused, New: Locked}}, "", ReasonLocked},
		{"one is silent", []Evidence{good("a"), {Server: "b", Old: Unreachable}}, "", ReasonUnreachable},
		{"the old value was not offered though it is known", []Evidence{good("a"), {Server: "b", New: Accepted}}, "", ReasonInternal},
		{"the new one must be changed", []Evidence{good("a"), {Server: "b", Old: Refused, New: MustChange}}, "", ReasonMustChange},
	} {
		t.Run(row.name, func(t *testing.T) {
			proof, stop := Dead([]string{"a", "b"}, row.ev, true, nil)
			require.Equal(t, row.proof, proof)
			if row.stop == "" {
				require.Nil(t, stop)
				return
			}
			require.NotNil(t, stop)
			require.Equal(t, row.stop, stop.Reason)
		})
	}
}

func TestWithoutTheOldValueOnlyAnAdvancedChangeTimeProves(t *testing.T) {
	before := map[string]string{"a": "1"}
	for _, row := range []struct {
		name string
		ev   Evidence
		dead bool
	}{
		{"advanced", Evidence{Server: "a", New: Accepted, Changed: "2"}, true},
		{"not advanced", Evidence{Server: "a", New: Accepted, Changed: "1"}, false},
		{"not shown", Evidence{Server: "a", New: Accepted}, false},
		{"advanced and the new value refused", Evidence{Server: "a", New: Refused, Changed: "2"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			proof, stop := Dead([]string{"a"}, []Evidence{row.ev}, false, before)
			require.Equal(t, row.dead, stop == nil)
			if row.dead {
				require.Equal(t, ProofMetadata, proof)
			}
		})
	}
}

func TestNoServersIsNeverDead(t *testing.T) {
	_, stop := Dead(nil, nil, true, nil)
	require.NotNil(t, stop)
}

func TestDeadImpliesTheTwoAnswersOnEveryServer(t *testing.T) {
	answers := rapid.SampledFrom([]Reply{NotAsked, Accepted, Refused, MustChange, Locked, Disabled, Expired, Gone, Unreachable})
	rapid.Check(t, func(t *rapid.T) {
		servers := []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "n")]
		var ev []Evidence
		for _, s := range servers {
			if rapid.Bool().Draw(t, "answered") {
				ev = append(ev, Evidence{Server: s, Old: answers.Draw(t, "old"), New: answers.Draw(t, "new")})
			}
		}
		if _, stop := Dead(servers, ev, true, nil); stop == nil {
			require.Len(t, ev, len(servers))
			for _, e := range ev {
				require.Equal(t, Refused, e.Old)
				require.Equal(t, Accepted, e.New)
			}
		}
	})
}
