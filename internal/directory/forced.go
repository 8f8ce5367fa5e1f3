package directory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A policy may have each password that an administrator has set changed at the
// next login (pwdMustChange of draft-behera-ldap-password-policy-10, 5.2.12;
// passwordMustChange of 389 Directory Server). A service cannot do that: a
// reset cuts its consumers off.

// Forced reports whether the policy of an entry that ByID has read on server
// has each reset password changed. It is said only of a policy that is the
// entry's for certain: the one that the entry names, or the default one where
// the configuration is shown. slapd marks what an identity with manage on
// userPassword has set, and not what one with write alone has (2.5.13 tried),
// which does not show.
func (c *Client) Forced(ctx context.Context, server string, e Entry) bool {
	policy := e.First("pwdPolicySubentry")
	l, err := c.policy(server, "forced\x00"+policy, func() (lockout, error) {
		forces, err := c.driver.forces(ctx, c, server, policy)
		if err != nil && !IsUnreachable(err) && ctx.Err() == nil {
			return lockout{}, nil // it is not shown
		}
		return lockout{forces: forces}, err
	})
	return err == nil && l.forces
}

// Forcing names the policies that are shown and do that, whosever they are.
// mend is what to do.
func (c *Client) Forcing(ctx context.Context) (policies []string, mend string, err error) {
	server := c.servers[0].name
	policies, mend, err = c.driver.forcing(ctx, c, server)
	if err != nil && !IsUnreachable(err) && ctx.Err() == nil {
		err = nil // policies are commonly hidden, and so is what they say
	}
	return policies, mend, err
}

func (openLDAP) forces(ctx context.Context, c *Client, server, policy string) (bool, error) {
	if policy == "" {
		var err error
		if policy, err = c.defaultPolicy(ctx, server); err != nil || policy == "" {
			return false, err
		}
	}
	e, found, err := c.one(ctx, server, "", policy, ldap.ScopeBaseObject, "(objectClass=pwdPolicy)", []string{"pwdMustChange"})
	return found && e.First("pwdMustChange") == "TRUE", err
}

// defaultPolicy is ppolicy_default of the database that holds base
// (slapo-ppolicy(5)), which cn=config shows to few; empty if it does not.
func (c *Client) defaultPolicy(ctx context.Context, server string) (string, error) {
	dns, err := c.defaultPolicies(ctx, server)
	if len(dns) == 0 {
		return "", err
	}
	return dns[0], err
}

// defaultPolicies are ppolicy_default of all databases that may hold an
// account, that of base first: those below it, and those without a suffix, of
// which an overlay counts for all. None where that of base is not shown.
func (c *Client) defaultPolicies(ctx context.Context, server string) (dns []string, err error) {
	named, suffixes, shown := map[string]string{}, map[string][]string{}, false
	err = c.Search(ctx, server, "cn=config", "(|(olcPPolicyDefault=*)(olcSuffix=*))", []string{"olcPPolicyDefault", "olcSuffix"}, func(e Entry) error {
		suffixes[e.DN] = e.Attrs["olcSuffix"]
		if _, database, ok := strings.Cut(e.DN, ","); ok && e.First("olcPPolicyDefault") != "" {
			named[database] = e.First("olcPPolicyDefault")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	nearest := -1 // how many values the longest suffix above base has
	for _, database := range slices.Sorted(maps.Keys(named)) {
		policy, of := named[database], suffixes[database]
		switch {
		case slices.ContainsFunc(of, func(s string) bool { return Within(c.conf.Base, s) }):
			long := 0
			for _, s := range of {
				if dn, err := ParseDN(s); err == nil && Within(c.conf.Base, s) {
					long = max(long, len(dn.RDNs))
				}
			}
			if shown = true; long > nearest { // glued databases: base is in the one below
				dns, nearest = slices.Insert(dns, 0, policy), long
			} else {
				dns = append(dns, policy)
			}
		case len(of) == 0 || slices.ContainsFunc(of, func(s string) bool { return Within(s, c.conf.Base) }):
			dns = append(dns, policy)
		}
	}
	if !shown {
		return nil, nil
	}
	return dns, nil
}

func (openLDAP) forcing(ctx context.Context, c *Client, server string) (policies []string, mend string, err error) {
	err = c.Search(ctx, server, c.suffix(ctx, server), "(&(objectClass=pwdPolicy)(pwdMustChange=TRUE))", []string{"pwdMustChange"}, func(e Entry) error {
		policies = append(policies, e.DN)
		return nil
	})
	slices.Sort(policies)
	return policies, mendReset, err
}

// suffix is the naming context that holds base, where policies commonly lie
// beside it; base where that is not shown.
func (c *Client) suffix(ctx context.Context, server string) string {
	e, _, err := c.one(ctx, server, "", "", ldap.ScopeBaseObject, "(objectClass=*)", []string{"namingContexts"})
	if err != nil {
		return c.conf.Base
	}
	for _, s := range e.Attrs["namingContexts"] {
		if Within(c.conf.Base, s) {
			return s
		}
	}
	return c.conf.Base
}

// forces of 389 Directory Server: an entry's own policy counts where local ones
// do (nsslapd-pwpolicy-local), else the server's. Neither is commonly shown.
func (ds389) forces(ctx context.Context, c *Client, server, policy string) (bool, error) {
	e, found, err := c.one(ctx, server, "", "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", []string{"passwordMustChange", "nsslapd-pwpolicy-local"})
	if err != nil || !found || e.First("passwordMustChange") == "" {
		return false, err
	}
	if policy != "" && strings.EqualFold(e.First("nsslapd-pwpolicy-local"), "on") {
		e, _, err = c.one(ctx, server, "", policy, ldap.ScopeBaseObject, "(|(objectClass=*)(objectClass=ldapSubEntry))", []string{"passwordMustChange"})
	}
	return strings.EqualFold(e.First("passwordMustChange"), "on"), err
}

func (ds389) forcing(ctx context.Context, c *Client, server string) (policies []string, mend string, err error) {
	mend = "set passwordMustChange: off there for the time of the campaign"
	e, _, err := c.one(ctx, server, "", "cn=config", ldap.ScopeBaseObject, "(objectClass=*)", []string{"passwordMustChange", "nsslapd-pwpolicy-local"})
	if err == nil && strings.EqualFold(e.First("passwordMustChange"), "on") {
		policies = append(policies, "cn=config")
	}
	if err != nil && IsUnreachable(err) || err == nil && strings.EqualFold(e.First("nsslapd-pwpolicy-local"), "off") {
		return policies, mend, err
	}
	err = c.Search(ctx, server, c.suffix(ctx, server), "(&(objectClass=ldapSubEntry)(passwordMustChange=on))", []string{"passwordMustChange"}, func(e Entry) error {
		policies = append(policies, e.DN)
		return nil
	})
	return policies, mend, err
}

// A domain has no such policy: an account is marked one by one (pwdLastSet),
// and a reset by unicodePwd marks none.
func (activeDirectory) forces(context.Context, *Client, string, string) (bool, error) {
	return false, nil
}

func (activeDirectory) forcing(context.Context, *Client, string) ([]string, string, error) {
	return nil, "", nil
}
