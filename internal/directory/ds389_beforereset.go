package directory

import (
	"context"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// recent is how long after a change beforeReset asks the server for its time.
// It allows for clocks that differ as much as doctor lets pass.
const recent = clockSkew + time.Second

// beforeReset waits until the second in which the entry was last changed is
// over: the change mark has whole seconds, and two changes in one would look
// like none. An entry that is not there ends the reset with noSuchObject,
// because to a replace of it the server answers insufficientAccessRights, like
// to one that it forbids (tried).
func (ds389) beforeReset(ctx context.Context, c *conn, dn string) error {
	e, err := c.read(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "modifyTimestamp")
	switch {
	case err != nil && (!answered(err) || resultCode(err) == ldap.LDAPResultNoSuchObject):
		return err
	case err != nil || len(e) == 0:
		return nil // hidden from bind.dn: the reset's own answer says more
	}
	last, ok := generalizedTime(e[0].GetAttributeValue("modifyTimestamp"))
	if !ok || time.Since(last).Abs() > recent {
		return nil
	}
	for began := time.Now(); time.Since(began) < time.Second; {
		now, err := c.serverTime(ctx)
		if err == nil && now.Sub(last).Abs() >= time.Second {
			return nil
		}
		if err != nil && !answered(err) && !errors.Is(err, errNoTime) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// unseen is how long landed waits where nothing shows that the server has
// finished: some milliseconds on a busy machine, tried.
const unseen = 50 * time.Millisecond

// landed waits until 389 Directory Server has finished a replace. The server
// answers some milliseconds before it marks the value as one that must be
// changed, or takes away that the one before had expired (tried on 2.3.1). A
// login in between could be taken for one that consumers can have; later logins
// are checked in any case. pwdUpdateTime is written together with those marks,
// so landed polls it; without it (passwordTrackUpdateTime: off) landed waits
// unseen.
func (ds389) landed(ctx context.Context, c *conn, dn string) {
	for began := time.Now(); time.Since(began) < time.Second; {
		e, err := c.read(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "pwdUpdateTime", "modifyTimestamp")
		if err != nil || len(e) == 0 {
			return
		}
		updated := e[0].GetEqualFoldAttributeValue("pwdUpdateTime")
		if updated != "" && updated >= e[0].GetEqualFoldAttributeValue("modifyTimestamp") || updated == "" && time.Since(began) >= unseen {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

var errNoTime = errors.New("the server does not show its time")

// serverTime is the server's clock, in whole seconds. By default everybody may
// read it.
func (c *conn) serverTime(ctx context.Context) (time.Time, error) {
	e, err := c.read(ctx, "cn=monitor", ldap.ScopeBaseObject, "(objectClass=*)", "currentTime")
	if err != nil {
		return time.Time{}, err
	}
	if len(e) == 1 {
		if now, ok := generalizedTime(e[0].GetAttributeValue("currentTime")); ok {
			return now, nil
		}
	}
	return time.Time{}, errNoTime
}
