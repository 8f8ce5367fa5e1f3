package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	result "rollcall/internal/evidence/taken"
)

// Whatever file of evidence a campaign takes, its ledger verifies: nobody who
// may write a log, or that file, can make a record that accuses itself.
func TestWhatACampaignTakesOfLogsVerifies(t *testing.T) {
	took := 0
	rapid.Check(t, func(t *rapid.T) {
		day := func(name string) string {
			return someDay(rapid.IntRange(-400, 400).Draw(t, name)).Format("2006-01-02T15:04:05Z")
		}
		number := func(name string) int { return rapid.SampledFrom([]int{0, 1, 1, 7, 7, 40, 1 << 41, -1}).Draw(t, name) }
		word := func(name string, all ...string) string { return rapid.SampledFrom(all).Draw(t, name) }
		sorted := func(name string) (string, string) {
			a, b := day(name), day(name+" too")
			if a > b && rapid.IntRange(0, 9).Draw(t, name+" turned") > 0 {
				a, b = b, a
			}
			return a, b
		}
		var logs, findings, gaps []string
		for i := range rapid.IntRange(0, 3).Draw(t, "logs") {
			a, b := sorted("log")
			logs = append(logs, fmt.Sprintf(`{"file": "%s", "sha256": "%s", "size": 9, "format": "openldap", "lines": %d, "not_understood": %d, "first": "%s", "last": "%s"}`,
				fmt.Sprint(word("folder", "", "/var/log/", `C:\logs\`, "a/"), "x", i), strings.Repeat("0f", 32), 40, rapid.SampledFrom([]int{0, 1, 40}).Draw(t, "not read"), a, b))
			logs[i] = strings.ReplaceAll(logs[i], `\`, `\\`)
		}
		for range rapid.IntRange(0, 4).Draw(t, "findings") {
			a, b := sorted("finding")
			findings = append(findings, fmt.Sprintf(`{"code": "%s", "grade": "%s", "rule": "new-place", "credential": "%s", "address": "%s", "outcome": "accepted", "count": %d, "first": "%s", "last": "%s", "seen": [{"file": "%sx%d", "line": %d}]}`,
				word("code", "used-elsewhere", "indicator"), word("grade", "confirmed", "possible"), word("about", "", listed(0).Credential, listed(1).Credential, "corp/gone"),
				word("address", "", "192.0.2.7", "2001:db8::1"), number("count"), a, b, word("in", "", "/var/log/"), rapid.IntRange(0, 2).Draw(t, "log"), number("line")))
		}
		for range rapid.IntRange(0, 4).Draw(t, "gaps") {
			a, b := sorted("gap")
			gaps = append(gaps, fmt.Sprintf(`{"from": "%s", "to": "%s", "reason": "no-line"}`, a, b))
		}
		list := func(all []string) string { return "[" + strings.Join(all, ",") + "]" }
		wa, wb := "2022-08-01T00:00:00Z", day("window")
		wb = max(wb, "2022-08-02T00:00:00Z") // as campaign files have them
		text := fmt.Sprintf(`{"evidence": {"layout": 2, "read_at": "%s"}, "windows": [{"from": "%s", "to": "%s"}, {"from": "%s"}], "logs": %s, "findings": %s, "from_device": [], "coverage": [{"authority": "corp", "format": "openldap", "gaps": %s}], "no_log_of": [{"authority": "vault", "gaps": %s}]}`,
			day("read"), wa, wb, day("lasting"), list(logs), list(findings), list(gaps), list(gaps))
		require.True(t, json.Valid([]byte(text)), text)
		file, err := result.Read([]byte(text))
		if err != nil {
			return
		}
		took++
		rec := file.Record()
		read := credential.LogsRead{ID: rec.ID, Of: rec.Of, Logs: rec.Logs, Coverage: rec.Coverage, Elsewhere: rec.Elsewhere}
		var signs []Entry
		for _, of := range rec.Signs {
			if of.Credential == "corp/gone" { // the roll has not got it: internal/inventory counts it
				continue
			}
			c := credential.Credential{ID: of.Credential}
			for _, s := range of.Signs {
				c.Signs = append(c.Signs, credential.SignOf{Reading: rec.ID, Sign: s})
			}
			read.Counts.Credentials++
			read.Counts.Signs += len(c.Signs)
			signs = append(signs, SignEntries(campaign, c, readAt)...)
		}
		for _, e := range read.Elsewhere {
			read.Counts.Elsewhere += e.Findings
		}
		read.Counts.Logs, read.Counts.Coverage = len(read.Logs), len(read.Coverage)
		before, last := ReadingEntries(campaign, read, readAt)
		s := story()
		entries := append(append(append(append(s[:4:4], before...), signs...), last), s[4:]...)
		rep := &Report{Campaign: campaign}
		a := newAudit(rep)
		for i, e := range entries {
			a.entry(int64(i), mustLine(t, withTime(e)))
		}
		a.finish()
		require.Empty(t, rep.Problems, text)
	})
	require.Positive(t, took)
}

func mustLine(t *rapid.T, e Entry) []byte {
	line, err := encode(e)
	require.NoError(t, err)
	return line
}
