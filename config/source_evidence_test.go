package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
)

const madeForEvidence = `device: esg-01
formerly: [esg-1]
exposure: [{from: 2022-10-10, to: 2023-06-08}]
containment: {addresses: [192.0.2.10, esg.example.org]}
sources:
  - {type: vault-kv, prefix: kv/a}
  - {type: evidence, file: evidence.json}
`

// written is a result of that campaign file, of one account.
const written = `{
  "evidence": {"layout": 2, "device": %q, "addresses": ["192.0.2.10/32"], "read_at": "2026-01-01T00:00:00Z"},
  "windows": [{"from": "2022-10-10T00:00:00Z", "to": %q}],
  "from_device": [
    {"authority": "corp", "form": "dn", "account": "uid=c,dc=x", "outcome": "accepted", "grade": "confirmed", "rule": "let-in-from-device",
     "address": "192.0.2.10", "count": 1, "first": "2022-11-01T00:00:00Z", "last": "2022-11-01T00:00:00Z", "at": {"file": "slapd.log", "line": 7}},
    {"authority": "corp", "form": "dn", "account": "uid=d,dc=x", "outcome": "refused", "grade": "possible", "rule": "tried-from-device",
     "address": "192.0.2.10", "count": 1, "first": "2022-11-01T00:00:00Z", "last": "2022-11-01T00:00:00Z", "at": {"file": "slapd.log", "line": 8}}
  ],
  "logs": [], "findings": [], "coverage": [], "no_log_of": []
}
`

// end is that of the exposure of a date, which is in it.
const end = "2023-06-08T23:59:59Z"

func TestASourceTakesWhatEvidenceWroteOfThisCampaignFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "campaign.yaml")
	require.NoError(t, os.WriteFile(file, []byte(madeForEvidence), 0o600))
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "evidence.json"), []byte(text), 0o600))
	}
	for _, device := range []string{"esg-01", "ESG-01", "esg-1"} {
		write(fmt.Sprintf(written, device, end))
		c, err := Load(file)
		require.NoError(t, err)
		require.Len(t, c.Sources[1].Seen, 1)
		require.Equal(t, event.Place{File: "slapd.log", Line: 7}, c.Sources[1].Seen[0].At)
		require.Equal(t, taken.Rest{Tried: 1, Names: []string{"uid=d,dc=x"}}, c.Sources[1].NotTaken)
		require.Empty(t, c.Sources[1].Content, "workers get what is taken up, and not the rest of a file that names half a company")
	}
	for says, text := range map[string]string{
		"evidence.json: cannot be read (the path is relative to the campaign file, source on line 7): no such file or directory": "-",
		"evidence.json: is empty":                                   "",
		"evidence.json:4: ends in the middle":                       fmt.Sprintf(written, "esg-01", end)[:200],
		"evidence.json: is of the device esg-02":                    fmt.Sprintf(written, "esg-02", end),
		"evidence.json: was made for another exposure (2022-10-10T": fmt.Sprintf(written, "esg-01", "2023-06-07T23:59:59Z"),
	} {
		if write(text); text == "-" {
			require.NoError(t, os.Remove(filepath.Join(dir, "evidence.json")))
		}
		c, err := Load(file)
		require.ErrorContains(t, err, says)
		require.Nil(t, c)
		// The command that writes the file is not kept from that by it.
		c, leftOut, err := LoadForEvidence(file)
		require.NoError(t, err)
		require.Len(t, leftOut, 1)
		require.Contains(t, leftOut[0], says)
		require.Empty(t, c.Sources[1].Seen)
	}
}

func TestWhatASourceOfEvidenceSaysIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"{type: evidence}": "file: missing: what `rollcall evidence … -o json` wrote",
		"{type: evidence, file: e.json, addresses: mail}":   "but this must be a list",
		"{type: evidence, file: e.json, addresses: [mail]}": "addresses: must be a list of networks and addresses",
		"{type: evidence, file: e.json, kind: x}":           "kind: does not belong to a source of type evidence, which takes file, addresses",
		"{type: vault-kv, prefix: kv/a, addresses: [::1]}":  "addresses: does not belong to a source of type vault-kv",
	} {
		_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nsources:\n  - "+text+"\n"))
		require.ErrorContains(t, err, want, text)
	}
}
