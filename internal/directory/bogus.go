package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

var _ authority.Rehearser = (*Client)(nil)

// bogusEntry is what a new account of the drivers without a domain is made of:
// an account of a service as directories commonly have it.
func bogusEntry(dn, name string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"inetOrgPerson"})
	for _, attr := range []string{"cn", "sn", "uid"} {
		req.Attribute(attr, []string{name})
	}
	req.Attribute("description", []string{"a bogus account of rollcall rehearse, which removes it"})
	return req
}

// shortest is the part of a name that sAMAccountName has room for: 20
// characters of users ([MS-SAMR] 3.1.1.6).
const shortest = 20

// An account of a domain is made disabled, as it has no password yet, and
// enabled once it has one ([MS-ADTS] 3.1.1.3.1.5, userAccountControl in
// 2.2.16).
const (
	normalDisabled = "514"
	normalEnabled  = "512"
)

func bogusUser(dn, name string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"user"})
	req.Attribute("cn", []string{name})
	req.Attribute("sAMAccountName", []string{"rc-" + name[max(0, len(name)-shortest+3):]})
	req.Attribute("userAccountControl", []string{normalDisabled})
	req.Attribute("description", []string{"a bogus account of rollcall rehearse, which removes it"})
	return req
}

func (openLDAP) bogus(name, under string) (string, *ldap.AddRequest, *ldap.ModifyRequest) {
	dn := "uid=" + name + "," + under
	return dn, bogusEntry(dn, name), nil
}

func (ds389) bogus(name, under string) (string, *ldap.AddRequest, *ldap.ModifyRequest) {
	return openLDAP{}.bogus(name, under)
}

func (activeDirectory) bogus(name, under string) (string, *ldap.AddRequest, *ldap.ModifyRequest) {
	dn := "CN=" + name + "," + under
	enable := ldap.NewModifyRequest(dn, nil)
	enable.Replace("userAccountControl", []string{normalEnabled})
	return dn, bogusUser(dn, name), enable
}

// bogusDN is where an account of that name is, or as an administrator named it.
// The names are letters, digits and -, which a DN takes as they are.
func (c *Client) bogusDN(in authority.Rehearsal, name string) (string, error) {
	dn := in.Account
	if in.Under != "" {
		dn, _, _ = c.driver.bogus(name, in.Under)
	}
	if !authority.IsBogus(dn) {
		return "", fmt.Errorf("directory %s: no rehearsal touches an account whose name does not begin with %s", c.name, authority.Bogus)
	}
	return dn, nil
}

// MakeBogus is authority.Rehearser.
func (c *Client) MakeBogus(ctx context.Context, in authority.Rehearsal, name string, value credential.Secret) (made bool, err error) {
	dn, err := c.bogusDN(in, name)
	if err != nil {
		return false, err
	}
	_, add, enable := c.driver.bogus(name, in.Under)
	s := c.servers[0]
	change := func(what string, f func(*ldap.Conn) error) error {
		err := s.admin(ctx, "", (*pool).use, func(cn *conn) error { return cn.change(ctx, what, f) })
		if !answered(err) {
			return err
		}
		detail := fmt.Sprintf("it refused to %s below rehearsal.under (LDAP result %d, %s)", what, resultCode(err), ldap.LDAPResultCodeMap[resultCode(err)])
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: s.name, Detail: detail + ": grant the bind identity that place, or name an account that an administrator made (docs/rights.md)"}
	}
	if err := change("make a bogus account", func(l *ldap.Conn) error { return l.Add(add) }); err != nil {
		var stop *protocol.Stop
		return !errors.As(err, &stop), err
	}
	if err := c.ResetPassword(ctx, dn, value, credential.Secret{}); err != nil {
		return true, err
	}
	if enable == nil {
		return true, nil
	}
	return true, change("enable a bogus account", func(l *ldap.Conn) error { return l.Modify(enable) })
}

// FindBogus is authority.Rehearser.
func (c *Client) FindBogus(ctx context.Context, in authority.Rehearsal, name string) (authority.Account, bool, error) {
	dn, err := c.bogusDN(in, name)
	if err != nil {
		return authority.Account{}, false, err
	}
	id, err := c.IDOf(ctx, dn)
	if resultCode(err) == ldap.LDAPResultNoSuchObject {
		err = nil
	}
	return authority.Account{Subject: strings.ToLower(id), Name: dn, Short: name}, id != "", err
}

// RemoveBogus is authority.Rehearser.
func (c *Client) RemoveBogus(ctx context.Context, in authority.Rehearsal, name string) error {
	dn, err := c.bogusDN(in, name)
	if err != nil || in.Under == "" {
		return err
	}
	s := c.servers[0]
	err = s.admin(ctx, "", (*pool).use, func(cn *conn) error {
		return cn.change(ctx, "remove a bogus account", func(l *ldap.Conn) error { return l.Del(ldap.NewDelRequest(dn, nil)) })
	})
	switch {
	case resultCode(err) == ldap.LDAPResultNoSuchObject:
		return nil
	case answered(err):
		return fmt.Errorf("directory %s: %s refused to remove the bogus account %s (LDAP result %d): delete it by hand, and grant the right to delete there", c.name, s.name, dn, resultCode(err))
	}
	return err
}
