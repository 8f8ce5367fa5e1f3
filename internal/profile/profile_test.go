package profile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

const whole = `schema: rollcall.profile/1
name: door
title: A door with a keypad
reviewed: 2026-11-28
ports: [22, 443]
sources:
  manual: {url: "https://example.org/manual", grade: V, read: 2026-11-28}
  talk: {url: "https://example.org/talk", grade: S, read: 2026-11-28, what: a talk}
lines:
  - {id: pin, kind: local-account, what: the code of the door, exposed: stored, where: keypad, authority: device, group: 20, grade: V, sources: [manual]}
  - id: hinges
    kind: shared-secret
    what: what it shares with the frame
    exposed: [stored, in-backup]
    authority: peer
    together: [the frame]
    revoke: [open doors]
    residue: rust
    resets: 2
    group: 10
    grade: S
    sources: [talk, manual]
    ask: "Which frame?"
`

func TestAProfileIsReadInTheOrderOfItsGroups(t *testing.T) {
	p, err := Parse("door.yaml", []byte(whole))
	require.NoError(t, err)
	require.Equal(t, []int{22, 443}, p.Ports)
	require.Len(t, p.Digest, 64)
	require.Equal(t, "hinges", p.Lines[0].ID)
	require.Equal(t, Line{ID: "hinges", Kind: credential.SharedSecret, What: "what it shares with the frame", Exposed: []Exposure{Stored, InBackup},
		Authority: "peer", Together: []string{"the frame"}, Revoke: []string{"open doors"}, Residue: "rust", Resets: 2, Group: 10, Grade: Secondary,
		Sources: []string{"talk", "manual"}, Ask: "Which frame?"}, p.Lines[0])
	require.Equal(t, []string{"keypad"}, p.Lines[1].Where)
	require.Equal(t, "https://example.org/talk", p.SourceOf("talk").URL)
	require.Empty(t, p.Unknown("pin"))
	require.Equal(t, "profile door has no line pn; did you mean pin?", p.Unknown("pn"))
	require.Contains(t, p.Unknown("roof-and-walls"), "profiles show door")
}

// Every mistake is told with its line, and nothing but plain words is repeated.
func TestMistakesInAProfile(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"schema: rollcall.profile/1", "schema: rollcall.profile/2", "p.yaml:1: schema: must be rollcall.profile/1"},
		{"name: door", "nam: door", "p.yaml:2: unknown key nam; did you mean name?"},
		{"name: door", "name: A Door", "p.yaml:2: name: must be small letters"},
		{"reviewed: 2026-11-28", "reviewed: yesterday", "p.yaml:4: reviewed: must be a date"},
		{"ports: [22, 443]", "ports: [22, 99999]", "p.yaml:5: ports: must be numbers from 1 to 65535"},
		{"grade: V, read: 2026-11-28}", "grade: V}", "p.yaml:7: sources.manual: read: missing"},
		{"grade: V, read: 2026-11-28}", "mark: V, read: 2026-11-28}", "p.yaml:7: sources.manual: mark is called grade by now"},
		{"https://example.org/manual", "https://me:pw@example.org/manual", "p.yaml:7: sources.manual: url: must be an address"},
		{"https://example.org/manual", "a book", "p.yaml:7: sources.manual: url: must be an address"},
		{"sources: [manual]}", "sources: [book]}", "p.yaml:10: pin: sources: no source is called book"},
		{", sources: [manual]}", "}", "p.yaml:10: pin: sources: missing: every line says where it was read"},
		{"sources: [manual]}", "sources: []}", "p.yaml:10: pin: sources: missing"},
		{"kind: local-account", "kind: local", "p.yaml:10: pin: kind: unknown word local"},
		{"id: hinges", "id: pin", "p.yaml:11: pin: id: the line on line 10 has this id already"},
		{"exposed: stored", "exposed: [stored, lost]", "p.yaml:10: pin: exposed: unknown word lost"},
		{"exposed: stored, ", "", "p.yaml:10: pin: exposed: missing"},
		{"where: keypad, ", "", "p.yaml:10: pin: where: missing: where it is configured, or a question"},
		{"group: 20, ", "", "p.yaml:10: pin: group: missing"},
		{"resets: 2", "resets: 3", "p.yaml:19: hinges: resets: must be a whole number from 1 to 2"},
		{"grade: S\n", "grade: I\n", "p.yaml:19: hinges: resets: two resets need a source that says so"},
		{"group: 20, grade: V", "group: 20, grade: X", "p.yaml:10: pin: ask: missing: what is not verified (X) is a question"},
		{"sources: [talk, manual]", "sources: [talk]", ""},
		{"grade: S\n    sources: [talk, manual]", "grade: V\n    sources: [talk]", "p.yaml:21: hinges: grade: is better than that of each of its sources"},
		{"what: a talk", "what: a talk, what: again", "p.yaml:8: sources.talk: what is there twice, first on line 8"},
		{"title: A door", "title: [A door", "p.yaml:4: not valid YAML"},
		{"residue: rust", "residue: \"ru\\u0007st\"", "p.yaml:18: hinges: residue: has characters that do not print"},
		{"residue: rust", "residue: " + strings.Repeat("r", 601), "p.yaml:18: hinges: residue: is longer than 600 bytes"},
		{"residue: rust", "residue: &a rust", ""},
		{"residue: rust", "residue: {a: b}", "p.yaml:18: hinges: residue: must be text"},
	} {
		require.Contains(t, whole, c.old)
		_, err := Parse("p.yaml", []byte(strings.Replace(whole, c.old, c.new, 1)))
		if c.want == "" {
			require.NoError(t, err, c.new)
			continue
		}
		require.ErrorContains(t, err, c.want, c.new)
		require.NotContains(t, err.Error(), "me:pw")
	}
	_, err := Parse("p.yaml", nil)
	require.ErrorContains(t, err, "p.yaml: not valid YAML: no documents")
	_, err = Parse("p.yaml", []byte("- a\n"))
	require.ErrorContains(t, err, "p.yaml: must hold one YAML mapping")
}

// Nothing makes Parse panic, and what it takes keeps its own rules.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../config/profiles/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte(whole))
	f.Add([]byte("lines:\n  - &a {id: *a}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("p.yaml", text)
		if (p == nil) == (err == nil) {
			t.Fatal("neither or both of profile and error")
		}
		if p == nil {
			return
		}
		for _, l := range p.Lines {
			if len(l.Sources) == 0 || !l.Grade.Verified() && l.Ask == "" || p.Unknown(l.ID) != "" {
				t.Fatalf("a line without source or question: %+v", l)
			}
		}
	})
}

// A campaign that runs keeps its profile as the build that began it wrote it.
func TestAProfileOfABuildThatSaidMarkKeepsItsGrades(t *testing.T) {
	want, err := Parse("p.yaml", []byte(whole))
	require.NoError(t, err)
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var now, before Profile
	require.NoError(t, json.Unmarshal(text, &now))
	require.Equal(t, *want, now)
	require.NoError(t, json.Unmarshal(bytes.ReplaceAll(text, []byte(`"grade"`), []byte(`"mark"`)), &before))
	require.Equal(t, now, before)
}
