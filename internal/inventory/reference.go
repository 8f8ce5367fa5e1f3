package inventory

import (
	"slices"
	"strings"

	"rollcall/internal/directory"
)

// reference is an account as sources name it, folded.
type reference struct{ authority, account string }

// accounts are the accounts that references mean, without repeats: none when it
// is gone, several when the reference is ambiguous. An empty list that is
// there: it may not be looked up.
type accounts map[reference][]Account

// mention is one way in which sources write an account.
type mention struct {
	text string
	key  string // folded
	form form
	ours bool // the campaign file names it: without it nothing can be listed
}

// asLogin is a mention that reads like a DN as what people call an account: a
// login may hold an "=", too. A DN below base means the entry of that name and
// no other one: who may choose a login could make it stand for an entry that
// was deleted.
func (m mention) asLogin(base string) (mention, bool) {
	if m.form != byDN || directory.Within(m.text, base) {
		return m, false
	}
	m.form = byUID
	if strings.Contains(m.text, "@") {
		m.form = byMail
	}
	return m, true
}

func addAccount(list []Account, a Account) []Account {
	if slices.ContainsFunc(list, func(b Account) bool { return b.Subject == a.Subject }) {
		return list
	}
	return append(list, a)
}
