package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/plural"
)

// checkAccounts works out from their own access control lists whether bind.dn
// may reset the accounts with these ids: a delegation stops at an account of a
// protected group, and at one that inherits nothing. It changes nothing.
func (activeDirectory) checkAccounts(ctx context.Context, c *conn, ids []string, add addCheck) {
	who, err := c.sids(ctx)
	if err != nil {
		add("rights", true, "bind.dn may not read its own groups", notChecked)
		return
	}
	seen, lists := 0, map[string][]byte{}
	var missing, protected []string
	for chunk := range slices.Chunk(ids, accountsChunk) {
		entries, err := c.described(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, anyID(c.server.client.driver, chunk), accountsChunk, "adminCount")
		if err != nil {
			add("rights", false, "the access control lists of the accounts on the roll cannot be read: "+found(nil, err, ""), "let bind.dn read below base")
			return
		}
		for _, e := range entries {
			seen++
			list := e.GetRawAttributeValue("nTSecurityDescriptor")
			lists[e.DN] = list
			switch {
			case adacl.MayControl(list, who, adacl.ResetPassword):
			case e.GetAttributeValue("adminCount") == "1":
				protected = append(protected, e.DN)
			default:
				missing = append(missing, e.DN)
			}
		}
	}
	add("rights", len(missing) == 0, fmt.Sprintf("bind.dn lacks the right Reset Password on %d of %s on the roll%s", len(missing), plural.Count(seen, "account", "accounts"), named(missing)),
		grantReset+"; an account that inherits no rights needs them on itself")
	if unshown, err := c.unshown(ctx, lists); err == nil && len(unshown.Accounts) > 0 {
		add("copies", true, unshown.Words(seen), notChecked)
	}
	add("protected", len(protected) == 0, fmt.Sprintf("%d of %s on the roll %s%s", len(protected), plural.Count(seen, "account", "accounts"), plural.Pick(len(protected), "belongs to a protected group (adminCount 1) and bind.dn may not reset it", "belong to a protected group (adminCount 1) and bind.dn may not reset them"), named(protected)),
		fmt.Sprintf(`a right on an organizational unit does not reach them: grant it for the time of the campaign on AdminSDHolder, which passes it on within the hour: dsacls "CN=AdminSDHolder,CN=System,%s" /G "DOMAIN\account:CA;Reset Password"; or have a domain administrator reset them, and exclude them with that reason`,
			domainDN(c.server.client.conf.Base)))
}

// named lists the first few names.
func named(dns []string) string {
	const few = 5
	if len(dns) == 0 {
		return ""
	}
	out := ": " + strings.Join(dns[:min(few, len(dns))], "; ")
	if more := len(dns) - few; more > 0 {
		out += fmt.Sprintf("; and %d more", more)
	}
	return out
}

// domainDN is the domain's part of a DN below it.
func domainDN(dn string) string {
	return "DC=" + strings.ReplaceAll(config.Domain(dn), ".", ",DC=")
}

// Restricts says what keeps an account of a domain from logging in from
// anywhere within the next hour ([MS-ADA1] logonHours, [MS-ADA3]
// userWorkstations), or is empty. A value of the hours that is missing, empty
// or all ones forbids none.
func Restricts(e Entry, now time.Time) string {
	hours := []byte(e.First("logonHours"))
	switch {
	case !lets(hours, now.Add(-clocksDiffer)) || !lets(hours, now.Add(time.Hour+clocksDiffer)):
		return "logonHours"
	case e.First("userWorkstations") != "":
		return "userWorkstations"
	}
	return ""
}

// clocksDiffer is by how much a domain controller's clock may be another one.
const clocksDiffer = 5 * time.Minute

// lets: an account may log in at that time. A bit is one hour of the week from
// Sunday on, in UTC, the lowest of each byte first ([MS-ADTS] and Samba's
// logon_hours_ok). Of a value of another length nothing is known.
func lets(hours []byte, at time.Time) bool {
	if !slices.ContainsFunc(hours, func(b byte) bool { return b != 0xff }) {
		return true
	}
	at = at.UTC()
	n := int(at.Weekday())*24 + at.Hour()
	return len(hours) == 21 && hours[n/8]&(1<<(n%8)) != 0
}
