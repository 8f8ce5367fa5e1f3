package profile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

// What a person wrote stays byte for byte, and what the file lacks is added
// below its answers, at their depth and with the line ends of the file.
func TestMissingLinesAreAddedAndNothingElseIsChanged(t *testing.T) {
	p := house(t)
	const head = "# mine\ndevice: esg-01\nprofile: house\nby: jo\non: 2026-11-28\n"
	for name, c := range map[string]struct{ before, after string }{
		"at the end":                   {head + "answers:\n  lookup: covered # yes\n", ""},
		"without a last line end":      {head + "answers:\n  lookup: covered # yes", "\n"},
		"below a block":                {head + "answers:\n  seal:\n    none: >-\n      no TLS\n      at all\n", ""},
		"deeper":                       {head + "answers:\n      lookup: covered\n      # ask kim\n", ""},
		"above the next key":           {"device: esg-01\nprofile: house\nanswers:\n  lookup: {covered: , by: jo, on: 2026-11-28}\n", "\n# who\nby: jo\non: 2026-11-28\n"},
		"above the end of the stream":  {head + "answers:\n  lookup: covered\n", "...\n"},
		"with line ends of Windows":    {strings.ReplaceAll(head+"answers:\n  lookup: covered\n", "\n", "\r\n"), ""},
		"with a question that is open": {head + "answers:\n  lookup:\n    #none: why\n  users: {none: no}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.before + c.after
			acc := &credential.Accounting{Lines: []credential.LineAnswer{{Line: "database", Answer: credential.Covered, Credentials: 1}}}
			out, added, err := AddMissing("a.yaml", []byte(text), p, acc, map[string][]string{"database": {"app\x1b"}}, "esg-01", noon)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(out), c.before) && strings.HasSuffix(string(out), c.after), "%s", out)
			require.NotContains(t, string(out), "\x1b")
			was, err := ParseAnswers("a.yaml", []byte(text), "esg-01", p)
			require.NoError(t, err)
			now, err := ParseAnswers("a.yaml", out, "esg-01", p)
			require.NoError(t, err)
			require.Len(t, added, len(p.Lines)-len(was.List))
			require.Len(t, now.List, len(p.Lines))
			require.Equal(t, credential.Covered, now.Of("database").Answer, "what the sources found is filled in")
			require.Equal(t, strings.Count(text, "\r\n") > 0, !strings.Contains(strings.ReplaceAll(string(out), "\r\n", ""), "\n"))

			again, none, err := AddMissing("a.yaml", out, p, acc, nil, "esg-01", noon)
			require.NoError(t, err)
			require.Empty(t, none)
			require.Equal(t, string(out), string(again))
		})
	}
	for _, text := range []string{head + "answers: {lookup: covered}\n", "{device: esg-01, profile: house, by: jo, on: 2026-11-28, answers: {lookup: covered}}"} {
		_, _, err := AddMissing("a.yaml", []byte(text), p, nil, nil, "esg-01", noon)
		require.ErrorContains(t, err, "a.yaml was left as it is: nothing can be added to it safely")
		require.ErrorContains(t, err, "write these yourself: database, users, admins, seal")
	}
}

// Whichever lines a template lacks, they come back, and the others keep their
// words.
func TestAnyMissingLinesAreAdded(t *testing.T) {
	p := house(t)
	whole := Template(p, nil, nil, "esg-01", "jo", noon)
	rapid.Check(t, func(t *rapid.T) {
		text, left := whole, 0
		for _, l := range p.Lines {
			if rapid.Bool().Draw(t, l.ID) {
				text = strings.Replace(text, "\n  "+l.ID+":\n", "\n  # "+l.ID+"\n", 1)
				continue
			}
			left++
		}
		out, added, err := AddMissing("a.yaml", []byte(text), p, nil, nil, "esg-01", noon)
		if left == 0 { // no answers at all: there is nothing to add below
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Len(t, added, len(p.Lines)-left)
		require.True(t, strings.HasPrefix(string(out), text))
		now, err := ParseAnswers("a.yaml", out, "esg-01", p)
		require.NoError(t, err)
		require.Len(t, now.List, len(p.Lines))
	})
}

// Whoever takes the # away and writes nothing has answered nothing.
func TestTheWordsOfAQuestionAreNoAnswer(t *testing.T) {
	p := house(t)
	whole := Template(p, nil, nil, "esg-01", "jo", noon)
	_, err := ParseAnswers("a.yaml", []byte(strings.Replace(whole, "    #none: ", "    none: ", 1)), "esg-01", p)
	require.ErrorContains(t, err, "lookup: still has the words of the question")
	later := strings.NewReplacer("#later: what is to be done", "later: order it", "#owner", "owner", "#due", "due").Replace(whole)
	_, err = ParseAnswers("a.yaml", []byte(later), "esg-01", p)
	require.ErrorContains(t, err, "lookup: still has the words of the question")
	_, err = ParseAnswers("a.yaml", []byte(strings.ReplaceAll(later, "owner: who", "owner: jo")), "esg-01", p)
	require.NoError(t, err)
}
