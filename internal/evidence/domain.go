package evidence

import (
	"strings"

	"rollcall/internal/evidence/event"
)

// Domain is by what names logs call the domain that a directory is.
type Domain struct {
	DNS     string
	NetBIOS string // "" where nobody knows it
}

// longestNetBIOS is the most that a NetBIOS name has of a longer one.
const longestNetBIOS = 15

// has says whether accounts of a domain are its own. sure is false where
// nothing says so either way.
func (d Domain) has(domain string) (own, sure bool) {
	first, _, _ := strings.Cut(d.DNS, ".")
	switch {
	case domain == "":
		return true, true // a domain controller takes it for its own
	case strings.EqualFold(domain, d.NetBIOS), strings.EqualFold(domain, d.DNS):
		return true, true
	case d.NetBIOS != "":
		return false, !strings.Contains(domain, ".") || d.DNS != ""
	case d.DNS == "":
		return false, false
	case strings.Contains(domain, "."):
		return false, true
	}
	// What a domain is called by default, when it is made.
	own = strings.EqualFold(domain, first[:min(len(first), longestNetBIOS)])
	return own, own
}

// typedForOwn reports whether a client types that domain where it was given
// none: a domain controller takes it for its own. Of what was not let in the
// domain is the one that was typed.
func typedForOwn(domain, client string) bool {
	return domain == "." || strings.EqualFold(domain, "WORKGROUP") || client != "" && strings.EqualFold(domain, client)
}

// ofDomain marks an event whose account is of another domain than the
// authority's, or may be: a server's own log has the domain that it found, and
// other domains have accounts of the same short names.
func (d Domain) ofDomain(e *event.Event) {
	if e.Form != event.Login {
		return
	}
	if d.DNS == "" {
		_, d.DNS, _ = strings.Cut(e.Server, ".") // of Windows: the machine's own
	}
	domain, _, written := strings.Cut(e.Account, `\`)
	suffix := false
	if !written {
		i := strings.LastIndex(e.Account, "@")
		if domain = ""; i > 0 {
			domain, suffix = e.Account[i+1:], true
		}
	}
	own, sure := d.has(domain)
	switch {
	case own:
	case e.Outcome != event.Accepted && typedForOwn(domain, e.Client):
		e.Doubts = append(e.Doubts, event.ByDomain)
	case sure && !suffix:
		e.Form = event.Foreign
	default: // a userPrincipalName may end in any domain
		e.Doubts = append(e.Doubts, event.ByDomain)
	}
}
