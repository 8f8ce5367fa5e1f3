package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/plural"
)

// EvidenceLedger is `rollcall report -o json` of the ledger of what logs show
// of a device. Keys are stable.
type EvidenceLedger struct {
	Device   string                `json:"evidence_of"`
	Signed   []EvidenceSigned      `json:"credentials"`
	Readings []credential.LogsRead `json:"readings"`
	Verified DocumentVerified      `json:"verification"`
}

// EvidenceSigned is a credential of a campaign's roll with signs of use.
type EvidenceSigned struct {
	Credential string              `json:"credential"`
	Name       string              `json:"name"`
	Signs      []credential.SignOf `json:"signs"`
}

// EvidenceLedgerJSON writes it.
func EvidenceLedgerJSON(w io.Writer, s *ledger.State, v Verification) error {
	d := EvidenceLedger{Device: s.Device, Signed: []EvidenceSigned{}, Readings: readingsOf(s), Verified: documentVerified(v)}
	for _, c := range s.Signed {
		d.Signed = append(d.Signed, EvidenceSigned{c.ID, c.Name, c.Signs})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// EvidenceLedgerText writes the same for a terminal of a width in columns.
func EvidenceLedgerText(w io.Writer, s *ledger.State, v Verification, width int) error {
	width = max(width, 40)
	var b strings.Builder
	b.WriteString(Wrap("Rollcall · what logs show of device "+Clean(s.Device), "", width))
	for _, r := range s.Readings {
		b.WriteString("\n" + Wrap(Clean(readingWords(r, zoneOf(s))+"; against the roll of "+r.Roll), "  ", width))
		for _, c := range s.Signed {
			for _, is := range c.Signs {
				if is.Reading == r.ID {
					b.WriteString(Wrap(Clean(c.Name+": "+SignLine(is.Sign, zoneOf(s))), "    ", width))
				}
			}
		}
		for _, line := range elsewhereLines(r) {
			b.WriteString(Wrap(Clean(line), "    not on the roll: ", width))
		}
	}
	b.WriteString("\n" + Wrap(noRecordMeans, "  ", width))
	b.WriteString(Wrap(fmt.Sprintf("The ledger has %s, root %s.", plural.Count(v.Size, "entry", "entries"), v.Root), "  ", width))
	for _, p := range v.Problems {
		b.WriteString(Wrap(Clean(p), "  problem: ", width))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
