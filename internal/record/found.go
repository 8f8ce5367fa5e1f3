package record

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

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
	if f.Code == credential.FindingFlushed || f.Code == credential.FindingFlushFailed {
		attempt = 0 // run once in a campaign, and told whenever its doors are seen to
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
