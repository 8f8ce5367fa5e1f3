package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// texts are those that have a second way to be written, and plain ones.
func texts(t *rapid.T, name string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "corp", "ldaps://ldap1.example.org", "uid=x,ou=y", "ü", "<&>", "a\"b", `a\b`, "\x00", "\x1f", "\x7f", "\u2028", "\u2029", "\ufffd", "\xff", "🎄", "\t", " "}),
		rapid.StringN(0, 20, -1),
	).Draw(t, name)
}

func moments(t *rapid.T, name string) time.Time {
	at := time.Unix(rapid.Int64Range(-1e9, 5e9).Draw(t, name+" seconds"), rapid.SampledFrom([]int64{0, 1, 1e6, 123456789, 120e6}).Draw(t, name+" fraction")).UTC()
	if rapid.IntRange(0, 9).Draw(t, name+" zone") == 0 {
		return at.In(time.FixedZone("", 3600))
	}
	return at
}

// entries of the kinds that make a large ledger, and some that do not.
func anyEntry(t *rapid.T) Entry {
	is := func(name string) bool { return rapid.IntRange(0, 2).Draw(t, name) == 0 }
	e := Entry{ID: texts(t, "id"), At: moments(t, "at"), Campaign: texts(t, "campaign"),
		Event: rapid.SampledFrom([]Event{Listed, EventIntent, EventOutcome, EventOpen, Exception, EventFinding, RollClosed, "", "new"}).Draw(t, "event")}
	if is("subject") {
		e.Credential, e.Name = texts(t, "credential"), texts(t, "name")
	}
	if is("listed") {
		e.Kind, e.Authority, e.Wave = credential.Kind(texts(t, "kind")), texts(t, "authority"), rapid.IntRange(-1, 1e10).Draw(t, "wave")
		e.Paths = append(e.Paths, credential.Path{Mount: texts(t, "mount"), Path: texts(t, "path"), Field: texts(t, "field")})
		e.Reasons = append(e.Reasons, credential.Reason{Source: texts(t, "source"), Type: texts(t, "type"), Detail: texts(t, "why"), Owner: texts(t, "owner"), Due: texts(t, "due")})
		e.UsedBy = rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "used by")
		e.Logins, e.VaultLogins = rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "logins"), rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "logins at Vault")
		e.Lines = append(e.Lines, credential.LineRef{Line: texts(t, "line"), By: credential.LineBy(texts(t, "by"))})
		e.Doors, e.Owner = rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "doors"), texts(t, "sees to it")
		if is("before") {
			e.DeadBefore, e.Due = &credential.DeadBefore{Campaign: texts(t, "earlier"), At: moments(t, "died")}, moments(t, "due")
		}
	}
	if is("attempt") {
		e.Attempt = rapid.IntRange(-1, 1e10).Draw(t, "attempt")
		e.From = rapid.MapOfN(rapid.String(), rapid.IntRange(-1, 1e10), 0, 3).Draw(t, "from")
		e.To = rapid.MapOfN(rapid.String(), rapid.IntRange(0, 9), 0, 3).Draw(t, "to")
	}
	if is("outcome") {
		e.Written = map[string]time.Time{texts(t, "where"): moments(t, "written")}
		e.Proof, e.SetAt = protocol.Proof(texts(t, "proof")), moments(t, "set")
		e.LeftOut, e.DoorsLeftOut = rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "left out"), rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "doors left out")
		e.Evidence = append(e.Evidence, protocol.Evidence{Server: texts(t, "server"), At: texts(t, "asked"), Old: protocol.Reply(texts(t, "old")), New: protocol.Reply(texts(t, "new")), Changed: texts(t, "changed"), OnlyOne: is("only one")})
		e.AtDoors = append(e.AtDoors, protocol.DoorEvidence{Door: texts(t, "door"), At: texts(t, "tried"), First: protocol.Reply(texts(t, "first")), Old: protocol.Reply(texts(t, "old there")), New: protocol.Reply(texts(t, "new there"))})
	}
	if is("stands") {
		e.Step, e.Reason, e.Server, e.Detail = protocol.Step(texts(t, "step")), protocol.Reason(texts(t, "reason")), texts(t, "at server"), texts(t, "detail")
		e.Finding, e.Until = credential.FindingCode(texts(t, "finding")), moments(t, "until")
	}
	if is("rare") {
		e.Actor, e.Counts, e.Device = texts(t, "actor"), &Counts{Listed: 3}, texts(t, "device")
	}
	return e
}

// What reads quickly must never read otherwise: two readers of one line would
// be two records.
func requireTheSame(t require.TestingT, r *lineReader, line []byte) (took bool) {
	var e Entry
	if !r.read(line, &e) {
		return false
	}
	want, err := ParseEntry(line)
	require.NoError(t, err, "%s", line)
	require.Equal(t, want, e, "%s", line)
	require.True(t, canonical(line, e), "%s", line)
	return true
}

func TestTheQuickReaderTakesNothingThatTheOtherReadsOtherwise(t *testing.T) {
	readers := []*lineReader{newLineReader(), {words: map[string]string{}, keeps: true}} // they remember, and that must make no difference
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		line, err := encode(anyEntry(t))
		require.NoError(t, err)
		requireTheSame(t, r, line)

		// Somebody edits it.
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			at := rapid.IntRange(0, len(line)-1).Draw(t, "at")
			some := rapid.OneOf(rapid.SampledFrom([]string{`"`, `\`, `,`, `{`, `}`, `[`, `]`, `:`, ` `, `0`, `null`, `true`, `,"id":"x"`, `,"attempt":1`, `\u0041`, "\n", "\xff"}),
				rapid.Custom(func(t *rapid.T) string { return string([]byte{rapid.Byte().Draw(t, "byte")}) })).Draw(t, "text")
			until := min(len(line), at+rapid.IntRange(0, 2).Draw(t, "replaced"))
			line = append(append(append([]byte{}, line[:at]...), some...), line[until:]...)
			requireTheSame(t, r, line)
		}
	})
}

func TestTheQuickReaderTakesWhatALargeLedgerIsMadeOf(t *testing.T) {
	for _, r := range []*lineReader{newLineReader(), {words: map[string]string{}, keeps: true}} {
		for i, e := range append(story(), open(1)) {
			if e.Event == CampaignStarted || e.Event == RollClosed || e.Event == CampaignClosed {
				continue // one of each
			}
			require.True(t, requireTheSame(t, r, mustEncode(t, withTime(e))), "%d: %s", i, e.Event)
		}
	}
}

func open(n int) Entry {
	e := of(n, "2", EventOpen)
	e.Step, e.Reason, e.Server, e.Detail = protocol.Prove, protocol.ReasonUnreachable, "ldap-2", fmt.Sprintf("no answer from %d", n)
	return e
}
