package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// whoseSecrets are those of a plan that were looked for in Vault: accounts have
// passwords, logins to Vault have secrets.
func whoseSecrets(roll *credential.Roll) string {
	accounts, logins := false, false
	for _, c := range roll.Credentials {
		set := c.Problem == "" && c.Task == nil && !c.Kind.OnlyEnds()
		accounts = accounts || set && !c.Kind.OpensVault()
		logins = logins || set && c.Kind.OpensVault()
	}
	switch {
	case accounts:
		return "passwords of these accounts"
	case logins:
		return "secrets of these logins to Vault"
	}
	return ""
}

// maxOpen is how many credentials plan names for one reason or finding: list
// names all.
const maxOpen = 8

// staysOf words a credential that stays open: a name that means several
// accounts, or none, is told apart by the path that uses it.
func staysOf(c credential.Credential, found []credential.Finding) stays {
	out := stays{name: c.Name}
	if c.Subject == "" && len(c.Paths) > 0 && c.Name != c.Paths[0].String() {
		out.name += " at " + c.Paths[0].String()
	}
	title, _ := report.Advice(protocol.Reason(c.Problem))
	var details []string
	for _, f := range found {
		if f.Detail != "" && !strings.HasPrefix(strings.ToLower(f.Detail), strings.ToLower(title)) {
			details = append(details, f.Detail)
		}
	}
	out.detail = strings.Join(details, "; ")
	return out
}

// nobodySeesTo says of how many of a roll nobody is named who sees to them if
// they stay open, while that can be mended: nothing is added to a record after
// its end. Empty where somebody is, or where the campaign stays for whoever
// closes it, who names somebody.
func nobodySeesTo(cfg *config.Campaign, roll []credential.Credential) string {
	if waitOf(cfg) > 0 {
		return ""
	}
	n := 0
	for _, c := range roll {
		if c.Task == nil && c.Owner == "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("nobody sees to %d of %d if %s open: name somebody by open: {owner: …} in the campaign file, or by owner in the custom_metadata of a secret; or have the campaign stay for whoever closes it, by open: {wait: 4h}. After its end nobody can be added to its record",
		n, len(roll), plural.Pick(n, "it stays", "they stay"))
}

// printFirst says who goes first in its wave, and why.
func (p plan) printFirst(w io.Writer, width int) {
	if len(p.First) == 0 {
		return
	}
	fmt.Fprint(w, report.Wrap("signs of use by others, in logs: within their waves these go before all else, the surest first", fmt.Sprintf("first (%d): ", len(p.First)), width))
	for _, f := range p.First[:min(maxOpen, len(p.First))] {
		fmt.Fprint(w, report.Wrap(report.Clean(f.Credential+": "+report.SignLine(f.Sign, time.UTC)), fmt.Sprintf("    wave %d: ", f.Wave+1), width))
	}
	if len(p.First) > maxOpen {
		fmt.Fprintf(w, "    and %d more: rollcall plan -o json\n", len(p.First)-maxOpen)
	}
}

// printLeft says of each reason for which credentials stay open what it means,
// which they are, what was seen of each, and what to do.
func (p plan) printLeft(w io.Writer, width int) {
	for _, problem := range slices.Sorted(maps.Keys(p.left)) {
		of := p.left[problem]
		title, next := report.Advice(protocol.Reason(problem))
		fmt.Fprint(w, report.Wrap(title, fmt.Sprintf("stays open: %s (%d): ", problem, len(of)), width))
		for _, s := range of[:min(maxOpen, len(of))] {
			text := s.name
			if s.detail != "" {
				text += ": " + s.detail
			}
			fmt.Fprint(w, report.Wrap(report.Clean(text), "    ", width))
		}
		if len(of) > maxOpen {
			fmt.Fprintf(w, "    and %d more: rollcall list\n", len(of)-maxOpen)
		}
		fmt.Fprint(w, report.Wrap(next, "  → ", width))
	}
}

// printFindings names what was seen of the others, a kind of finding at a time.
func (p plan) printFindings(w io.Writer, width int) {
	by := map[credential.FindingCode][]planFinding{}
	for _, f := range p.Findings {
		by[f.Code] = append(by[f.Code], f)
	}
	for _, code := range slices.Sorted(maps.Keys(by)) {
		of := by[code]
		fmt.Fprintf(w, "look at: %s (%d)\n", code, len(of))
		for _, f := range of[:min(maxOpen, len(of))] {
			text := f.Credential
			if f.Detail != "" {
				text += ": " + f.Detail
			}
			fmt.Fprint(w, report.Wrap(report.Clean(text), "    ", width))
		}
		if len(of) > maxOpen {
			fmt.Fprintf(w, "    and %d more: rollcall list\n", len(of)-maxOpen)
		}
	}
}

// printLookedBelow says where else nobody looked: whoever reads the password of
// one of these accounts there would be cut off.
func (p plan) printLookedBelow(w io.Writer, width int) {
	if p.looked == "" {
		return
	}
	where := "only at the places that manifests name"
	if len(p.LookedBelow) > 0 {
		where = "only below " + strings.Join(p.LookedBelow, ", ") + ", and at the places that manifests name"
	}
	fmt.Fprint(w, report.Wrap(report.Clean("the "+p.looked+" were looked for "+where+". Who reads one elsewhere in Vault keeps the old value and is cut off: add that place as a source or as a row of a manifest"), "in Vault: ", width))
}
