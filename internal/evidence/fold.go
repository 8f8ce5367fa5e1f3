package evidence

import (
	"strings"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/evidence/event"
)

const vaultAuthority = credential.VaultAuthority

// folder makes one text of all spellings of an account: logs have it as it was
// typed, and as the server writes it.
type folder struct{ dns *lru.LRU[string, folded] }

type folded struct {
	text  string
	whole bool
}

// Fold makes one text of all spellings of an account, for a judge.
func Fold() func(event.Form, string) (string, bool) { return newFolder().fold }

// Names are kept as they are written, with what comes of it: as many, and of
// so many bytes. Long ones are folded each time.
const (
	maxKept     = 50_000
	longestKept = 512
)

func newFolder() *folder {
	dns, _ := lru.NewLRU[string, folded](maxKept, nil)
	return &folder{dns}
}

func (f *folder) fold(form event.Form, account string) (string, bool) {
	if form == event.Login {
		// Of DOMAIN\name and name@realm the name. By itself it is as likely a
		// value that somebody typed.
		name := strings.ToLower(strings.TrimSpace(account))
		if i := strings.LastIndex(name, `\`); i >= 0 {
			name = name[i+1:]
		}
		if i := strings.LastIndex(name, "@"); i > 0 {
			name = name[:i]
		}
		return name, false
	}
	if form != event.DN {
		return strings.ToLower(strings.TrimSpace(account)), form != event.VaultLogin && form != event.Foreign
	}
	if is, ok := f.dns.Get(account); ok {
		return is.text, is.whole
	}
	account = strings.Clone(account) // it may be a part of its line
	is := folded{strings.ToLower(account), false}
	if dn, err := directory.ParseDN(account); err == nil {
		// One name alone is as likely a value that somebody typed.
		is = folded{strings.ToLower(strings.Join(strings.Fields(dn.String()), " ")), len(dn.RDNs) > 1}
	}
	if len(account) <= longestKept {
		f.dns.Add(account, is)
	}
	return is.text, is.whole
}
