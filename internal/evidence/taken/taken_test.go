package taken

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

const small = `{"evidence": {"layout": 2, "device": "esg-01", "addresses": ["192.0.2.10/32"], "read_at": "2026-01-01T00:00:00Z"},
 "windows": [{"from": "2022-10-10T00:00:00Z"}],
 "logs": [{"file": "/var/log/slapd.log", "sha256": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "size": 9, "format": "openldap", "authority": "corp", "lines": 40, "not_understood": 1,
  "first": "2022-10-11T00:00:00Z", "last": "2022-12-01T00:00:00Z"}],
 "findings": [{"code": "used-elsewhere", "grade": "probable", "rule": "new-place", "credential": "corp/1", "account": "uid=c,dc=x", "address": "192.0.2.7", "outcome": "accepted", "count": 12,
  "first": "2022-11-01T00:00:00Z", "last": "2022-11-02T00:00:00Z", "doubts": ["address-over-gap"], "seen": [{"file": "/var/log/slapd.log", "line": 7, "at": "2022-11-01T00:00:00Z", "outcome": "accepted"}]},
  {"code": "burst-of-failures", "grade": "possible", "rule": "one-place", "account": "uid=bystander,dc=x", "address": "192.0.2.7", "count": 10, "first": "2022-11-01T00:00:00Z", "last": "2022-11-02T00:00:00Z", "seen": []}],
 "from_device": [{"authority": "corp", "form": "dn", "account": "uid=c,dc=x", "outcome": "accepted", "grade": "confirmed", "rule": "let-in-from-device",
  "doubts": ["address-over-gap"], "address": "192.0.2.10", "count": 1, "first": "2022-11-01T00:00:00Z", "last": "2022-11-01T00:00:00Z", "at": {"file": "slapd.log", "line": 7}}],
 "coverage": [{"authority": "corp", "format": "openldap", "files": ["/var/log/slapd.log"], "lines": 40, "events": 9, "logins": 9, "unreadable": 1, "notes": [{"note": "no-address", "count": 1}], "cannot_show": ["last-name-only"],
  "gaps": [{"from": "2022-10-10T00:00:00Z", "to": "2022-10-11T00:00:00Z", "reason": "before-first-line", "question": "?"}]}],
 "no_log_of": [{"authority": "vault", "gaps": [{"from": "2022-10-10T00:00:00Z", "to": "2026-01-01T00:00:00Z", "reason": "no-log", "question": "?"}]}], "not_kept_apart": 3}`

// Whoever may write the file may have written anything: it is taken as a whole,
// or refused with a line that it has, and what is taken is as evidence writes
// it.
func FuzzAFileIsTakenOrRefused(f *testing.F) {
	for _, seed := range []string{small, small[:len(small)/2], small + small, "{}", "[]", "", `{"evidence": null, "windows": null, "from_device": null}`,
		`{"evidence": {"layout": 2}, "windows": [], "from_device": [{}]}`, `{"evidence": {"layout": 99}}`, "\xff\xfe{\x00}\x00", `{"from_device": [[[[`} {
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
		fitsALedger(t, file.Record())
	})
}

// fitsALedger: what is taken can be written, an entry at a time, and names
// logs that there are.
func fitsALedger(t *testing.T, r *Record) {
	whole, err := json.Marshal(r)
	require.NoError(t, err)
	var again Record
	require.NoError(t, json.Unmarshal(whole, &again), "as a campaign's specification keeps it")
	fits := func(entry any) {
		text, err := json.Marshal(entry)
		require.NoError(t, err)
		require.Less(t, len(text), 60_000)
	}
	for i, l := range r.Logs {
		require.Equal(t, i+1, l.Number)
		require.NotEmpty(t, l.Name)
		require.NotContains(t, l.Name, "/")
		fits(l)
	}
	for _, c := range r.Coverage {
		require.LessOrEqual(t, len(c.Gaps), max(mostGaps, len(r.Of.Windows)))
		fits(c)
	}
	for _, of := range r.Signs {
		for _, s := range of.Signs {
			require.Equal(t, r.Logs[s.At.Log-1].Name, s.At.Name)
			require.LessOrEqual(t, s.At.Line, r.Logs[s.At.Log-1].Lines)
			require.LessOrEqual(t, len(s.Addresses), credential.MostAddresses)
			require.GreaterOrEqual(t, s.MoreAddresses, 0)
			require.Positive(t, s.Count)
			fits(s)
		}
	}
	for _, s := range r.Elsewhere {
		require.Nil(t, s.At)
		require.Empty(t, s.Addresses)
		fits(s)
	}
}

// What evidence writes is taken: a format that a campaign file maps, and a log
// of which one line held more than one record that was not understood.
func TestWhatEvidenceWritesIsTaken(t *testing.T) {
	for _, format := range []string{"SSO", "web_login", "sso.v2"} {
		_, err := Read([]byte(strings.ReplaceAll(small, `"format": "openldap"`, `"format": "`+format+`"`)))
		require.NoError(t, err, format)
	}
	_, err := Read([]byte(strings.Replace(small, `"not_understood": 1`, `"not_understood": 50`, 1)))
	require.NoError(t, err)
	_, err = Read([]byte(strings.ReplaceAll(small, `"format": "openldap"`, `"format": "a b"`)))
	require.Error(t, err)
}
