package directory

import (
	"context"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// Ready logs in to the write server as the worker's identity and looks for the
// base. nil means that the server answers and accepts the identity; the error
// says which of the two is not so and what to do. It changes nothing.
func (c *Client) Ready(ctx context.Context) error {
	_, found, err := c.one(ctx, c.servers[0].name, "", c.conf.Base, ldap.ScopeBaseObject, "(objectClass=*)", []string{"1.1"})
	if err == nil && !found {
		err = fmt.Errorf("directory %s: base %q is not at %s, or bind.dn may not see it; correct base", c.name, c.conf.Base, c.servers[0].name)
	}
	return err
}

// IDOf is the immutable id of an entry at the write server; empty if the server
// does not show it.
func (c *Client) IDOf(ctx context.Context, dn string) (string, error) {
	e, _, err := c.one(ctx, c.servers[0].name, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{c.driver.idAttribute()})
	return e.ID, err
}

// NameOf is what the write server calls the entry that it knows by a DN in
// whatever spelling; empty if the server does not show one.
func (c *Client) NameOf(ctx context.Context, dn string) (string, error) {
	e, _, err := c.one(ctx, c.servers[0].name, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{c.driver.idAttribute()})
	return e.DN, err
}
