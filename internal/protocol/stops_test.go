package protocol

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// What somebody may read of any stop at three in the night: what to do, or that
// there is nothing to do.
var (
	doNext = regexp.MustCompile(`(?i)(?:[:;,.] |\b(?:and|or|then|to) )(?:ask|bring|clear|close|confirm|disable|enable|end|exclude|exempt|extend|find|grant|have|keep|leave|lift|name|repair|report|run|see|take|unlock)\b|the next pass`)
	leftSo = regexp.MustCompile(`nothing (?:more is|was|proves)|is set|set and has expired|is not known|proves nothing|proves it dead|was not offered|was asked nothing|still (?:accepts|takes|knows)|still offers|is still accepted`)
)

func requireWords(t *testing.T, stop *Stop) {
	t.Helper()
	require.Regexp(t, doNext, stop.Detail, "what to do next: %s", stop.Reason)
	require.Regexp(t, leftSo, stop.Detail, "how things were left: %s", stop.Reason)
	require.NotEmpty(t, stop.Reason)
}

var everyReply = []Reply{
	NotAsked, Accepted, Refused, MustChange, PasswordExpired, Restricted, NotCarried, NotThisWay, Locked, LockNotShown, LoginLocked, RoleLocked, Disabled, Expired, Gone, Unreachable, Guest, TooMany,
}

func TestEachStopSaysWhatToDoNext(t *testing.T) {
	for _, a := range everyReply {
		requireWords(t, StopFor(a, "ldap1"))
	}
	require.Subset(t, everyReply, keysOf(stops))
	said := map[Reason]bool{}
	for _, of := range [][]*Stop{stopsOfProofs(), stopsOfDoors(), stopsOfNext()} {
		require.NotEmpty(t, of)
		for _, stop := range of {
			requireWords(t, stop)
			said[stop.Reason] = true
		}
	}
	for _, r := range []Reason{ReasonUnreachable, ReasonOldAccepted, ReasonNewRefused, ReasonLagging, ReasonInternal, ReasonUnproved, ReasonDoorTakesOld, ReasonDoorRefusesNew, ReasonDoorSilent, ReasonDoorGuest, ReasonNotCarried} {
		require.True(t, said[r], "%s is among them", r)
	}
}

func keysOf[V any](m map[Reply]V) (out []Reply) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

func stopsOfProofs() (out []*Stop) {
	add := func(stop *Stop) {
		if stop != nil {
			out = append(out, stop)
		}
	}
	for _, old := range everyReply {
		for _, new := range everyReply {
			ev := []Evidence{{Server: "a", Old: old, New: new}}
			for _, known := range []bool{false, true} {
				_, stop := Dead([]string{"a"}, ev, known, nil)
				add(stop)
			}
			add(Ended([]string{"a"}, ev))
		}
	}
	_, none := Dead(nil, nil, true, nil)
	_, silent := Dead([]string{"a"}, nil, true, nil)
	for _, stop := range []*Stop{none, silent, Ended(nil, nil), Ended([]string{"a"}, nil)} {
		add(stop)
	}
	return out
}

func stopsOfDoors() (out []*Stop) {
	for _, first := range everyReply {
		for _, old := range everyReply {
			for _, new := range everyReply {
				for _, ev := range [][]DoorEvidence{nil, {{Door: "mail", First: first, Old: old, New: new, Why: "535"}}} {
					if stop := Shut([]string{"mail"}, ev, true); stop != nil {
						out = append(out, stop)
					}
				}
			}
		}
	}
	return out
}

func stopsOfNext() (out []*Stop) {
	yes := []bool{false, true}
	for _, new := range everyReply {
		for _, old := range everyReply {
			for _, known := range yes {
				for _, active := range yes {
					for _, unproved := range yes {
						f := Facts{NewBinds: new, OldBinds: old, OldKnown: known, Activated: active, Unproved: unproved, Retired: enoughRetires, Outlived: maxOutlived}
						if d := Next(f); d.Stop != nil {
							out = append(out, d.Stop)
						}
					}
				}
			}
		}
	}
	return out
}
