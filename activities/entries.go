package activities

import (
	"fmt"
	"hash/crc32"
	"maps"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func open(in wire.ResultInput, c credential.Credential, at wire.OpenItem, detail string, now time.Time) ledger.Entry {
	e := ledger.About(in.Batch.Campaign, c, ledger.EventOpen, fmt.Sprint(in.Pass), now)
	e.Step, e.Reason, e.Server, e.Detail = at.Step, at.Reason, at.Server, detail
	if at.Until > 0 {
		e.Until = time.Unix(at.Until, 0).UTC()
	}
	return e
}

// found is a finding of a rotation. Its id tells the findings of one code
// apart: another attempt or other words are another finding, and the same ones
// from a later pass are not.
func found(campaign string, c credential.Credential, attempt int, f credential.Finding, now time.Time) ledger.Entry {
	// Names are added here: none crosses Temporal.
	if f.Code == credential.FindingSparePath {
		var n int
		switch _, err := fmt.Sscanf(f.Detail, "path %d", &n); {
		case err == nil && n >= 1 && n <= len(c.Paths):
			f.Detail = c.Paths[n-1].String()
		case c.Spare != nil:
			f.Detail = c.Spare.String()
		}
	}
	if f.Code == credential.FindingNeverHeld && c.Adopted && !c.HandsOver() && len(c.Paths) == 1 {
		f.Detail = "the new value lies at " + c.Paths[0].String()
	}
	if f.Code == credential.FindingPathRefused {
		f.Detail = namePaths(c, f.Detail)
	}
	which := fmt.Sprintf("%s.%d", f.Code, attempt)
	if f.Detail != "" {
		which += fmt.Sprintf(".%08x", crc32.ChecksumIEEE([]byte(f.Detail)))
	}
	e := ledger.About(campaign, c, ledger.EventFinding, which, now)
	e.Finding, e.Detail = f.Code, f.Detail
	return e
}

// namePaths puts names for the numbers with which rotation words which paths:
// "path 2, 3 of 3".
func namePaths(c credential.Credential, detail string) string {
	which, of, said := strings.Cut(detail, fmt.Sprintf(" of %d", len(c.Paths)))
	numbers, named := strings.CutPrefix(which, "path ")
	if !said || !named {
		return detail
	}
	var names []string
	for n := range strings.SplitSeq(numbers, ", ") {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(c.Paths) {
			return detail
		}
		names = append(names, c.Paths[i-1].String())
	}
	return strings.Join(names, ", ") + of
}

func died(campaign string, c credential.Credential, a wire.AppliedItem, now time.Time) ledger.Entry {
	e := ledger.About(campaign, c, ledger.EventOutcome, fmt.Sprint(a.Attempt), now)
	e.Step, e.Attempt, e.Proof, e.Evidence, e.SetAt = protocol.Outcome, a.Attempt, a.Proof, a.Evidence, a.SetAt
	e.From, e.To, e.Written, e.LeftOut = byPath(c, a.From), written(c, a.To), writtenAt(c, a), a.LeftOut
	return e
}

// waveNames are those of the waves that hold something; nil where there is only
// one.
func waveNames(waves []credential.WaveIndex) map[int]string {
	if len(waves) < 2 {
		return nil
	}
	names := map[int]string{}
	for _, w := range waves {
		if w.Name != "" {
			names[w.Wave] = w.Name
		}
	}
	return names
}

// byPath names the paths of versions, which are in the order of c.Paths and
// then, where Rollcall's own path takes part, of c.Spare.
func byPath(c credential.Credential, versions []int) map[string]int {
	out := map[string]int{}
	for i, p := range c.Places() {
		if i < len(versions) {
			out[p.String()] = versions[i]
		}
	}
	return out
}

// written is byPath of those that were written: a path that was left as it is
// has no version after.
func written(c credential.Credential, versions []int) map[string]int {
	out := byPath(c, versions)
	maps.DeleteFunc(out, func(_ string, v int) bool { return v == 0 })
	return out
}

// writtenAt is when Vault wrote the versions of written.
func writtenAt(c credential.Credential, a wire.AppliedItem) map[string]time.Time {
	out := map[string]time.Time{}
	for i, p := range c.Places() {
		if i < min(len(a.To), len(a.Written)) && a.To[i] > 0 && !a.Written[i].IsZero() {
			out[p.String()] = a.Written[i].UTC()
		}
	}
	return out
}
