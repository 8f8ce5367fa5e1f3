package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"
)

// DS389Policy is the server's password policy, with the names that it has in
// cn=config. The zero value asks for nothing.
type DS389Policy struct {
	History    int           // passwordInHistory
	MinAge     time.Duration // passwordMinAge
	MaxAge     time.Duration // passwordMaxAge; 0 is for ever
	MinLength  int           // passwordMinLength, with passwordCheckSyntax
	MustChange bool          // passwordMustChange: an administrator's reset has to be changed
	// MaxFailure locks an account after so many refused binds; 0 never does.
	MaxFailure      int
	LockoutDuration time.Duration // passwordLockoutDuration; 0 until an administrator unlocks
	// TrackUpdate keeps pwdUpdateTime (passwordTrackUpdateTime).
	TrackUpdate bool
	// Global has servers take failure counts from their supplier
	// (passwordIsGlobalPolicy). Without it a consumer answers 53 to each that
	// arrives, and its supplier breaks off and sends it again after a while:
	// one wrong password may hold up all that comes after it.
	Global bool
}

func (p DS389Policy) settings() map[string]string {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	out := map[string]string{
		"passwordMinAge":          seconds(p.MinAge),
		"passwordMustChange":      onOff(p.MustChange),
		"passwordTrackUpdateTime": onOff(p.TrackUpdate),
		"passwordIsGlobalPolicy":  onOff(p.Global),
	}
	if p.History > 0 {
		out["passwordHistory"], out["passwordInHistory"] = "on", strconv.Itoa(p.History)
	}
	if p.MaxAge > 0 {
		out["passwordExp"], out["passwordMaxAge"] = "on", seconds(p.MaxAge)
	}
	if p.MinLength > 0 {
		out["passwordCheckSyntax"], out["passwordMinLength"] = "on", strconv.Itoa(p.MinLength)
	}
	if p.MaxFailure > 0 {
		out["passwordLockout"], out["passwordMaxFailure"] = "on", strconv.Itoa(p.MaxFailure)
		out["passwordUnlock"] = onOff(p.LockoutDuration > 0)
		if p.LockoutDuration > 0 {
			out["passwordLockoutDuration"] = seconds(p.LockoutDuration)
		}
	}
	return out
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// setPolicy comes last, so that the policy does not bind the seeding. It is not
// replicated: each server has its own.
func (s *DS389) setPolicy(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	req := ldap.NewModifyRequest("cn=config", nil)
	settings := s.opts.Policy.settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		req.Replace(name, []string{settings[name]})
	}
	req.Replace("passwordAdminDN", []string{s.BinderDN})
	if err := conn.Modify(req); err != nil {
		return fmt.Errorf("lab: set the password policy: %w", err)
	}
	return nil
}

// acis: accounts below ou=sealed may not read their own entry, and the binder's
// rights end at ou=people and there.
func (s *DS389) acis(dn string) []string {
	write := func(id string) string {
		return `(targetattr="userPassword")(version 3.0; acl "resets"; allow (write) userdn="ldap:///` + id + `";)`
	}
	look := func(id string) string {
		return `(targetattr="userPassword")(version 3.0; acl "looks how it is kept"; allow (read, search) userdn="ldap:///` + id + `";)`
	}
	switch dn {
	case slapdBase:
		return []string{`(targetattr!="userPassword || aci")(target!="ldap:///ou=sealed,` + slapdBase + `")(version 3.0; acl "logins read"; allow (read, search, compare) userdn="ldap:///all";)`}
	case slapdPeople:
		return []string{write(s.BinderDN), write(s.WriterDN), look(s.BinderDN)}
	case "ou=sealed," + slapdBase:
		return []string{write(s.BinderDN), `(targetattr!="userPassword || aci")(version 3.0; acl "the binder reads"; allow (read, search, compare) userdn="ldap:///` + s.BinderDN + `";)`}
	}
	return nil
}

// seed adds the tree as the Directory Manager, who may add passwords that are
// hashed already. A few connections at once: offline import takes longer for
// less than thousands of entries.
func (s *DS389) seed(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	add := func(conn *ldap.Conn, dn string, attrs map[string][]string) error {
		req := ldap.NewAddRequest(dn, nil)
		for _, name := range slices.Sorted(maps.Keys(attrs)) {
			req.Attribute(name, attrs[name])
		}
		if aci := s.acis(dn); aci != nil {
			req.Attribute("aci", aci)
		}
		if err := conn.Add(req); err != nil {
			return fmt.Errorf("lab: add %s: %w", dn, err)
		}
		return nil
	}
	if err := add(conn, slapdBase, map[string][]string{"objectClass": {"domain"}, "dc": {"example"}}); err != nil {
		return err
	}
	for _, ou := range []string{"people", "sealed", "services"} {
		if err := add(conn, "ou="+ou+","+slapdBase, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}}); err != nil {
			return err
		}
	}
	for dn, password := range map[string]string{s.BinderDN: s.BinderPassword, s.WriterDN: s.WriterPassword} {
		if err := add(conn, dn, map[string][]string{
			"objectClass": {"organizationalRole", "simpleSecurityObject"}, "userPassword": {hashed(password)},
			"nsSizeLimit": {"-1"}, "nsLookThroughLimit": {"-1"},
		}); err != nil {
			return err
		}
	}
	var g errgroup.Group
	g.SetLimit(4)
	for part := range slices.Chunk(s.opts.Accounts, 1+len(s.opts.Accounts)/4) {
		g.Go(func() error {
			conn, err := s.AdminConn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			for _, a := range part {
				attrs := map[string][]string{
					"objectClass": {"inetOrgPerson"}, "uid": {a.UID}, "cn": {a.UID}, "sn": {a.UID}, "userPassword": {hashed(a.Password)},
				}
				maps.Copy(attrs, a.Attrs)
				if err := add(conn, s.AccountDN(a.UID), attrs); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
