package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/adacl"
	"rollcall/internal/plural"
)

// A domain shows attributes that its schema calls confidential to nobody
// without control access on them, whatever else he may read ([MS-ADTS]
// 3.1.1.4.4, searchFlags fCONFIDENTIAL): neither a value nor that there is one.

// Unshown is what may be kept in entries and is not shown to bind.dn.
type Unshown struct {
	Accounts   []string // by immutable id
	Attributes []string
}

// confidential are those of DomainCopyAttributes that the schema calls so, by
// name, with their schemaIDGUID.
func (c *conn) confidential(ctx context.Context) (map[string]string, error) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "schemaNamingContext")
	if err != nil || len(root) != 1 {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("(&(objectClass=attributeSchema)(searchFlags:1.2.840.113556.1.4.803:=128)(|")
	for _, a := range DomainCopyAttributes {
		b.WriteString("(lDAPDisplayName=" + a + ")")
	}
	b.WriteString("))")
	found, err := c.readMany(ctx, root[0].GetAttributeValue("schemaNamingContext"), ldap.ScopeSingleLevel, b.String(), "lDAPDisplayName", "schemaIDGUID")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range found {
		if id := guidText(e.GetRawAttributeValue("schemaIDGUID")); id != "" {
			out[e.GetAttributeValue("lDAPDisplayName")] = id
		}
	}
	return out, nil
}

// unshown holds the access control lists of accounts, by immutable id, against
// what the schema calls confidential. A list that is not shown grants nothing.
// An error means that the server does not answer.
func (c *conn) unshown(ctx context.Context, lists map[string][]byte) (out Unshown, err error) {
	attributes, err := c.confidential(ctx)
	if err != nil && !answered(err) {
		return out, err
	}
	if err != nil { // no schema is shown, so any may be
		attributes = map[string]string{"unixUserPassword": adacl.UnixUserPassword}
	}
	who, err := c.sids(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		who = nil // its groups are not shown, so what they may is not known
	}
	for id, list := range lists {
		hidden := false
		for name, guid := range attributes {
			if len(list) > 0 && adacl.MayControl(list, who, guid) {
				continue
			}
			if hidden = true; !slices.Contains(out.Attributes, name) {
				out.Attributes = append(out.Attributes, name)
			}
		}
		if hidden {
			out.Accounts = append(out.Accounts, id)
		}
	}
	slices.Sort(out.Accounts)
	slices.Sort(out.Attributes)
	return out, nil
}

// Words say of how many accounts it is so, and what to do.
func (u Unshown) Words(of int) string {
	var grants []string
	for _, a := range u.Attributes {
		grants = append(grants, `"DOMAIN\account:RPCA;`+a+`"`)
	}
	return fmt.Sprintf("whether %d of %s on the roll %s a second time for UNIX (%s: confidential) is not shown to bind.dn: what reads such a copy goes on with the stolen value. Grant it: dsacls \"OU=…\" /I:S /G %s; or have an administrator look for accounts with (%s=*)",
		len(u.Accounts), plural.Count(of, "account", "accounts"), plural.Pick(len(u.Accounts), "keeps its password", "keep their password"), strings.Join(u.Attributes, ", "), strings.Join(grants, " "), u.Attributes[0])
}
