package taken

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

const small = `{"evidence": {"layout": 1, "device": "esg-01", "addresses": ["192.0.2.10/32"], "read_at": "2026-01-01T00:00:00Z"},
 "windows": [{"from": "2022-10-10T00:00:00Z"}],
 "from_device": [{"authority": "corp", "form": "dn", "account": "uid=c,dc=x", "outcome": "accepted", "grade": "confirmed", "rule": "let-in-from-device",
  "doubts": ["address-over-gap"], "address": "192.0.2.10", "count": 1, "first": "2022-11-01T00:00:00Z", "last": "2022-11-01T00:00:00Z", "at": {"file": "slapd.log", "line": 7}}]}`

// Whoever may write the file may have written anything: it is taken as a whole,
// or refused with a line that it has, and what is taken is as evidence writes
// it.
func FuzzAFileIsTakenOrRefused(f *testing.F) {
	for _, seed := range []string{small, small[:len(small)/2], small + small, "{}", "[]", "", `{"evidence": null, "windows": null, "from_device": null}`,
		`{"evidence": {"layout": 1}, "windows": [], "from_device": [{}]}`, `{"evidence": {"layout": 99}}`, "\xff\xfe{\x00}\x00", `{"from_device": [[[[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Read(text)
		if err != nil {
			var m *Mistake
			require.True(t, errors.As(err, &m), "%v", err)
			require.GreaterOrEqual(t, m.Line, 0)
			return
		}
		require.Equal(t, Layout, file.Layout)
		for _, a := range file.Accounts {
			require.Empty(t, a.wrong())
		}
		parts := file.Parts()
		require.LessOrEqual(t, len(parts.Accounts), Most)
		require.Equal(t, len(file.Accounts), len(parts.Accounts)+parts.Rest.Tried+parts.Rest.Masked+parts.Rest.More)
	})
}
