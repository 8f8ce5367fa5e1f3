package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/plural"
)

// keptNote is the check of how a directory keeps what is set.
const keptNote = "kept as"

// checkStored says how the directory keeps what is set: by its configuration,
// or else by the passwords that are there. What shows neither is said, too:
// whoever may read userPassword has each new one where it is kept as it is, and
// the campaign sees that no sooner than the listing's search, or not at all.
func (c *conn) checkStored(ctx context.Context, config, scheme, usual string, add addCheck) {
	const mend = "set a scheme that hashes before the run, or accept it: accept: - {directory: …, finding: stored-as-sent, reason: …}"
	entries, err := c.read(ctx, config, ldap.ScopeBaseObject, "(objectClass=*)", "objectClass", scheme)
	if err == nil && len(entries) == 1 && len(entries[0].GetEqualFoldAttributeValues("objectClass")) > 0 {
		if name := entries[0].GetEqualFoldAttributeValue(scheme); name != "" || usual != "" {
			if name == "" {
				name = usual
			}
			clear := Stored{Scheme: strings.ToUpper(strings.Trim(strings.Fields(name)[0], "{}"))}.Clear()
			add(keptNote, !clear, fmt.Sprintf("new passwords are kept as %s (%s in %s)%s", name, scheme, config, asTheyAre(clear)), mend)
			return
		}
	}
	req := ldap.NewSearchRequest(c.server.client.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, sampled, 10, false, "(userPassword=*)", []string{"userPassword"}, nil)
	var res *ldap.SearchResult
	_ = c.do(ctx, "look at how passwords are kept", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	var seen []Stored
	if res != nil {
		for _, e := range res.Entries {
			seen = append(seen, storedValues("userPassword", e.GetEqualFoldAttributeValues("userPassword"))...)
		}
	}
	if len(seen) > 0 {
		if slices.ContainsFunc(seen, Stored.Clear) {
			add(keptNote, true, fmt.Sprintf("of the passwords that bind.dn is shown (%d), some are kept as they were written, perhaps before it hashed; whether it hashes new ones is not shown (%s in %s)", len(seen), scheme, config), notChecked)
		} else {
			add(keptNote, true, plural.Count(len(seen), "password that bind.dn is shown is hashed", "passwords that bind.dn is shown are hashed"), "")
		}
		return
	}
	add(keptNote, true, fmt.Sprintf("neither %s (%s) nor a userPassword is shown to bind.dn, so how new passwords are kept is not known: kept as they are (CLEAR, {CLEARTEXT}), whoever may read userPassword, a backup or a log of changes has each", scheme, config), notChecked)
}

// checkShown says whether bind.dn reads the passwords that it may search, as
// the listing does: what bars an account, or has another system check its
// password, shows by the value alone.
func (c *conn) checkShown(ctx context.Context, grant string, add addCheck) {
	req := ldap.NewSearchRequest(c.server.client.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, sampled, 10, false, "(userPassword=*)", []string{"userPassword"}, nil)
	var res *ldap.SearchResult
	_ = c.do(ctx, "look whether passwords are shown", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if res == nil || len(res.Entries) == 0 {
		return // the check of rights says so
	}
	hidden := 0
	for _, e := range res.Entries {
		if len(e.GetEqualFoldAttributeValues("userPassword")) == 0 {
			hidden++
		}
	}
	if hidden == 0 {
		return
	}
	add("kept how", true, fmt.Sprintf("bind.dn may not read userPassword of %d of the entries that were looked at (%d), so whether it bars an account ({CRYPT}!…) or has another system check it ({SASL}) is not known: the listing warns (storage-not-shown), and an account of which Vault holds nothing that it accepts is not set; %s", hidden, len(res.Entries), grant), notChecked)
}

func asTheyAre(clear bool) string {
	if clear {
		return ": as they are, for whoever may read userPassword, a backup or a log of changes"
	}
	return ""
}
