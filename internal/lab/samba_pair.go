package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// SambaPair is two domain controllers of one domain that replicate over a cable
// of their own, which can be cut.
type SambaPair struct{ First, Second *Samba }

// StartSambaPair provisions a domain as StartSamba does, lets a second domain
// controller join it and returns once both have the same accounts. Each has a
// folder below o.Dir.
func StartSambaPair(ctx context.Context, o SambaOptions) (p *SambaPair, err error) {
	if err = CanStartSamba(ctx); err != nil {
		return nil, err
	}
	p = &SambaPair{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop(context.WithoutCancel(ctx)))
			p = nil
		}
	}()
	one, two := o, o
	one.Dir, two.Dir = filepath.Join(o.Dir, "dc1"), filepath.Join(o.Dir, "dc2")
	// Addresses for documentation (RFC 5737), which only the two ever see.
	if p.First, err = newSamba(one, "dc1", "192.0.2.1"); err != nil {
		return p, err
	}
	if p.Second, err = newSamba(two, "dc2", "192.0.2.2"); err != nil {
		return p, err
	}
	first, second := &p.First.machine, &p.Second.machine
	if err = first.net.connect(first.address, second.net, second.address); err != nil {
		return p, err
	}
	if err = p.First.found(ctx, []*machine{first, second}); err != nil {
		return p, err
	}
	if err = p.Second.join(ctx, p.First); err != nil {
		return p, err
	}
	// The names by which each trusts the other; until both have them,
	// replication fails with NT_STATUS_INVALID_PARAMETER.
	for _, s := range []*Samba{p.First, p.Second} {
		if out, err := s.machine.run(ctx, "/usr/sbin/samba_spnupdate", "-s", sambaConfig); err != nil {
			return p, fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err = p.acquaint(ctx); err != nil {
		return p, err
	}
	// Once, a controller that had started refused every call for replication
	// for ten minutes (Samba 4.17.12); why is not known.
	soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if p.AwaitReplication(soon) == nil {
		return p, nil
	}
	if err := p.Second.Restart(ctx); err != nil {
		return p, err
	}
	return p, p.AwaitReplication(ctx)
}

// acquaint tells each machine the names by which replication calls the domain
// controllers: the objectGUID of their settings (nTDSDSA objects, [MS-ADTS]
// 6.1.1.2.2.1), below _msdcs.
func (p *SambaPair) acquaint(ctx context.Context) error {
	conn, err := p.First.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := conn.Search(ldap.NewSearchRequest("CN=Sites,CN=Configuration,"+sambaBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=nTDSDSA)", []string{"objectGUID"}, nil))
	if err != nil {
		return fmt.Errorf("lab: look for the domain controllers' settings: %w", err)
	}
	both := []*machine{&p.First.machine, &p.Second.machine}
	for _, m := range both {
		for _, e := range found.Entries {
			if strings.HasPrefix(strings.ToLower(e.DN), "cn=ntds settings,cn="+m.host+",") {
				m.guid = guidText(e.GetRawAttributeValue("objectGUID"))
			}
		}
		if m.guid == "" {
			return fmt.Errorf("lab: the domain does not know %s", m.host)
		}
	}
	for _, m := range both {
		if err := m.furnish(both); err != nil {
			return err
		}
	}
	return nil
}

// guidText is the text form ([MS-DTYP] 2.3.4.3): the first three fields are
// stored little-endian.
func guidText(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:16])
}

// join makes s a second controller of the domain of first, and starts it.
func (s *Samba) join(ctx context.Context, first *Samba) error {
	if err := s.machine.furnish([]*machine{&first.machine, &s.machine}); err != nil {
		return err
	}
	s.AdminPassword, s.BinderPassword, s.ReaderPassword = first.AdminPassword, first.BinderPassword, first.ReaderPassword
	// Not on a command line.
	if err := os.WriteFile(s.path("admin-password"), []byte(s.AdminPassword), 0o600); err != nil {
		return fmt.Errorf("lab: write the Administrator's password: %w", err)
	}
	out, err := s.machine.run(ctx, "/usr/bin/env", "PASSWD_FILE="+mountPoint+"/admin-password", sambaTool, "domain", "join", sambaRealm, "DC",
		"-s", mountPoint+"/empty.conf", "--server="+first.machine.host+"."+sambaRealm, "-U", sambaDomain+`\Administrator`, "--realm="+sambaRealm,
		"--dns-backend=NONE", "--targetdir="+mountPoint,
		"--option=interfaces="+s.machine.nics(), "--option=bind interfaces only=yes")
	if err != nil {
		return fmt.Errorf("lab: samba-tool domain join: %w\n%s", err, out)
	}
	if err := s.writeConfig(); err != nil {
		return err
	}
	return s.Restart(ctx)
}

// Cut pulls the cable: the two see each other no more, and clients see both.
func (p *SambaPair) Cut() error { return p.First.machine.net.ip("link", "set", link, "down") }

// Heal plugs it in again and returns once each has what the other changed
// meanwhile.
func (p *SambaPair) Heal(ctx context.Context) error {
	first, second := &p.First.machine, &p.Second.machine
	if err := first.net.ip("link", "set", link, "up"); err != nil {
		return err
	}
	// A connection of which one end has given up while the other waits for an
	// answer.
	if err := errors.Join(first.net.hangUp(second.address), second.net.hangUp(first.address)); err != nil {
		return err
	}
	return p.AwaitReplication(ctx)
}

// AwaitReplication makes each domain controller fetch what the other has, which
// by themselves they do some seconds after a change. It is tried again until
// ctx ends: each is a single process, and when each waits for the other's
// answer, both wait for a minute.
func (p *SambaPair) AwaitReplication(ctx context.Context) error {
	for _, way := range []struct{ to, from *Samba }{{p.Second, p.First}, {p.First, p.Second}} {
		var said []byte // by the last try that came to its end
		for {
			out, err := way.to.machine.run(ctx, sambaTool, "drs", "replicate", way.to.machine.host, way.from.machine.host, sambaBase,
				"--sync-forced", "-P", "-s", sambaConfig)
			if err == nil {
				break
			}
			if ctx.Err() == nil {
				said = out
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w\n%s", err, said)
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return nil
}

// Stop ends both; their files stay.
func (p *SambaPair) Stop(ctx context.Context) error {
	var wrong []error
	for _, s := range []*Samba{p.First, p.Second} {
		if s != nil {
			wrong = append(wrong, s.Stop(ctx))
		}
	}
	return errors.Join(wrong...)
}
