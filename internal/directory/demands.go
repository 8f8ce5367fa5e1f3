package directory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// demand is what one policy asks of a new password, as far as the server shows
// it.
type demand struct {
	which   string
	length  int
	classes int            // how many of capital and small letters, digits and others
	of      map[string]int // how many of a class
}

// Classes of characters, as policies count them.
const (
	uppers   = "capital letters"
	lowers   = "small letters"
	digits   = "digits"
	specials = "characters that are neither letters nor digits"
)

// refuses says why a policy would refuse a value; empty if it would not. The
// value is a sample that is set nowhere, and what is said of it is a count.
func (d demand) refuses(sample credential.Secret) string {
	has, n := map[string]int{}, 0
	for _, r := range sample.Reveal() {
		n++
		switch {
		case unicode.IsUpper(r):
			has[uppers]++
		case unicode.IsLower(r):
			has[lowers]++
		case unicode.IsDigit(r):
			has[digits]++
		default:
			has[specials]++
		}
	}
	if n < d.length {
		return fmt.Sprintf("they have %s, and it asks for %d", plural.Count(n, "character", "characters"), d.length)
	}
	if len(has) < d.classes {
		return fmt.Sprintf("some have %s, and it asks for %d", plural.Count(len(has), "class of characters", "classes of characters"), d.classes)
	}
	for _, class := range []string{uppers, lowers, digits, specials} {
		if has[class] < d.of[class] {
			return fmt.Sprintf("some have %d %s, and it asks for %d", has[class], class, d.of[class])
		}
	}
	return ""
}

// CheckValues holds samples of new values against the password policies that
// the write server shows. It says nothing where they would be taken, or no
// policy is shown: the server itself has the last word.
func (c *Client) CheckValues(ctx context.Context, samples []credential.Secret) []Check {
	server := c.Servers()[0]
	var why []string
	for _, d := range c.driver.demands(ctx, c, server) {
		for _, s := range samples {
			if said := d.refuses(s); said != "" {
				why = append(why, fmt.Sprintf("%s would refuse new values: %s", d.which, said))
				break
			}
		}
	}
	if len(why) == 0 {
		return nil
	}
	check := Check{Server: server, What: noteValues, Detail: strings.Join(why, "; "),
		Do: "make them longer or of more classes: password in the campaign file, or Vault's password policy that it names"}
	if exempt := c.driver.exempt(c.conf.Set); exempt != "" {
		check.OK, check.Detail, check.Do = true, check.Detail+"; "+exempt, ""
	}
	return []Check{check}
}

// demands of OpenLDAP are those of all policies below base, for it does not
// show which is the default.
func (openLDAP) demands(ctx context.Context, c *Client, server string) (out []demand) {
	_ = c.Search(ctx, server, "", "(objectClass=pwdPolicy)", []string{"pwdMinLength", "pwdCheckQuality"}, func(e Entry) error {
		n, _ := strconv.Atoi(e.First("pwdMinLength"))
		if quality, _ := strconv.Atoi(e.First("pwdCheckQuality")); quality > 0 {
			out = append(out, demand{which: "the password policy " + e.DN, length: n})
		}
		return nil
	})
	return out
}

func (openLDAP) exempt(string) string {
	return "bind.dn needs manage on userPassword, which no quality binds (slapo-ppolicy), or a policy that takes them"
}

// demands of 389 Directory Server are the server's own; entries and subtrees
// may have others.
func (ds389) demands(ctx context.Context, c *Client, server string) []demand {
	of := map[string]string{"passwordMinUppers": uppers, "passwordMinLowers": lowers, "passwordMinDigits": digits, "passwordMinSpecials": specials}
	attrs := []string{"passwordCheckSyntax", "passwordMinLength", "passwordMinCategories"}
	for a := range of {
		attrs = append(attrs, a)
	}
	e, found, err := c.one(ctx, server, "", "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", attrs)
	if err != nil || !found || !strings.EqualFold(e.First("passwordCheckSyntax"), "on") {
		return nil
	}
	number := func(a string) int { n, _ := strconv.Atoi(e.First(a)); return n }
	d := demand{which: "the server's password policy (cn=config)", length: number("passwordMinLength"), classes: number("passwordMinCategories"), of: map[string]int{}}
	for a, class := range of {
		d.of[class] = number(a)
	}
	return []demand{d}
}

func (ds389) exempt(set string) string {
	if set == "replace" {
		return "bind.dn has to be a password administrator (passwordAdminDN), whom no syntax binds in a replace, or the policy must take them"
	}
	return ""
}

// demands of a domain: length and complexity bind resets too. Complexity asks
// for three classes, of which the fifth, letters without case, is made by
// nobody here ([MS-SAMR] 3.1.1.7.2).
func (activeDirectory) demands(ctx context.Context, c *Client, server string) []demand {
	const complexity = 1 // DOMAIN_PASSWORD_COMPLEX
	e, found, err := c.one(ctx, server, "", domainDN(c.conf.Base), ldap.ScopeBaseObject, "(objectClass=*)", []string{"minPwdLength", "pwdProperties"})
	if err != nil || !found {
		return nil
	}
	d := demand{which: "the domain's password policy"}
	d.length, _ = strconv.Atoi(e.First("minPwdLength"))
	if properties, _ := strconv.Atoi(e.First("pwdProperties")); properties&complexity != 0 {
		d.classes = 3
	}
	return []demand{d}
}

func (activeDirectory) exempt(string) string { return "" }
