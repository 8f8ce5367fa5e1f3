package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	ds389Replica    = `cn=replica,cn="` + slapdBase + `",cn=mapping tree,cn=config`
	ds389Replicator = "cn=replication manager,cn=config"
)

// follow makes the server a consumer: it tells both what they are to each other
// and has the supplier send everything.
func (s *DS389) follow(ctx context.Context) error {
	consumer, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer consumer.Close()
	supplier, err := s.opts.ReplicaOf.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer supplier.Close()
	host, port, err := net.SplitHostPort(s.hop.addr())
	if err != nil {
		return err
	}
	agreement := s.agreement()
	replica := func(kind, flags, id string) map[string]string {
		return map[string]string{"objectClass": "nsDS5Replica", "nsDS5ReplicaRoot": slapdBase, "nsDS5ReplicaType": kind, "nsDS5Flags": flags, "nsDS5ReplicaId": id}
	}
	readOnly, updatable := replica("2", "0", "65535"), replica("3", "1", "1")
	readOnly["nsDS5ReplicaBindDN"] = ds389Replicator
	// A broken connection is tried again after a second, not after up to five
	// minutes.
	updatable["nsDS5ReplicaBackoffMin"], updatable["nsDS5ReplicaBackoffMax"] = "1", "1"
	for _, e := range []struct {
		conn  *ldap.Conn
		dn    string
		attrs map[string]string
	}{
		{consumer, ds389Replicator, map[string]string{"objectClass": "person", "sn": "replication manager", "userPassword": s.replicator}},
		{consumer, ds389Replica, readOnly},
		{supplier, ds389Replica, updatable},
		{supplier, agreement, map[string]string{"objectClass": "nsDS5ReplicationAgreement",
			"nsDS5ReplicaRoot": slapdBase, "nsDS5ReplicaHost": host, "nsDS5ReplicaPort": port, "nsDS5ReplicaTransportInfo": "LDAPS",
			"nsDS5ReplicaBindDN": ds389Replicator, "nsDS5ReplicaBindMethod": "SIMPLE", "nsDS5ReplicaCredentials": s.replicator,
			"nsDS5BeginReplicaRefresh": "start"}},
	} {
		req := ldap.NewAddRequest(e.dn, nil)
		for name, value := range e.attrs {
			req.Attribute(name, []string{value})
		}
		// A second consumer finds the supplier set up.
		if err := e.conn.Add(req); err != nil && !(e.conn == supplier && ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists)) {
			return fmt.Errorf("lab: set up replication: add %s: %w", e.dn, err)
		}
	}
	for conn, at := range map[*ldap.Conn]*DS389{supplier: s.opts.ReplicaOf, consumer: s} {
		if !at.opts.ShowsReplicators {
			continue
		}
		req := ldap.NewModifyRequest("cn=mapping tree,cn=config", nil)
		req.Add("aci", []string{`(targetattr="objectClass || nsDS5ReplicaBindDN || nsDS5ReplicaBindDNGroup")(version 3.0; acl "the binder sees who replicates"; allow (read, search) userdn="ldap:///` + s.BinderDN + `";)`})
		if err := conn.Modify(req); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultAttributeOrValueExists) {
			return fmt.Errorf("lab: show as whom %s replicates: %w", at.LDAPS(), err)
		}
	}
	return poll(ctx, "the consumer at "+s.LDAPS()+" was not initialised", func() (bool, string, error) {
		res, err := supplier.Search(ldap.NewSearchRequest(agreement, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{"nsDS5BeginReplicaRefresh", "nsDS5ReplicaLastInitStatus"}, nil))
		if err != nil {
			return false, "", err
		}
		status := res.Entries[0].GetEqualFoldAttributeValue("nsDS5ReplicaLastInitStatus")
		return res.Entries[0].GetEqualFoldAttributeValue("nsDS5BeginReplicaRefresh") == "" && strings.HasPrefix(status, "Error (0)"), status, nil
	})
}

// agreement is the entry in the supplier that names this consumer.
func (s *DS389) agreement() string { return fmt.Sprintf("cn=to %d,", s.ldaps) + ds389Replica }

// PauseReplication cuts this consumer off: nothing that its supplier changes
// after the return arrives until ResumeReplication.
func (s *DS389) PauseReplication() { s.hop.setCut(true) }

// ResumeReplication lets the supplier connect again and returns once the
// consumer has caught up. Left alone, the supplier would wait from several
// seconds up to minutes before it tries. A change of the agreement's schedule
// makes it try at once, unless it is just giving up a try; so the schedule is
// changed until it has worked.
func (s *DS389) ResumeReplication(ctx context.Context) error {
	s.hop.setCut(false)
	supplier, err := s.opts.ReplicaOf.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer supplier.Close()
	for wait := time.Second; ; wait *= 2 { // a change of the schedule ends a try that is slow
		for _, schedule := range []string{"0000-2358 0123456", "0000-2359 0123456"} {
			req := ldap.NewModifyRequest(s.agreement(), nil)
			req.Replace("nsDS5ReplicaUpdateSchedule", []string{schedule})
			if err := supplier.Modify(req); err != nil {
				return fmt.Errorf("lab: wake the supplier: %w", err)
			}
		}
		short, cancel := context.WithTimeout(ctx, wait)
		err := s.AwaitReplication(short)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// AwaitReplication returns once the consumer has all that its supplier had when
// it was called, or an error when ctx ends. It has the supplier change one
// thing more and looks for that: the update vectors do not tell, because
// changes of nothing but failed logins have a number, and a consumer that keeps
// its own counts refuses them.
func (s *DS389) AwaitReplication(ctx context.Context) error {
	supplier, err := s.opts.ReplicaOf.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer supplier.Close()
	mark := rand.Text()
	req := ldap.NewModifyRequest(slapdBase, nil)
	req.Replace("description", []string{mark})
	if err := supplier.Modify(req); err != nil {
		return fmt.Errorf("lab: change something at %s: %w", s.opts.ReplicaOf.LDAP(), err)
	}
	consumer, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer consumer.Close()
	return poll(ctx, "the consumer at "+s.LDAPS()+" did not catch up", func() (bool, string, error) {
		res, err := consumer.Search(ldap.NewSearchRequest(slapdBase, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{"description"}, nil))
		if err != nil || len(res.Entries) == 0 {
			return false, "", err
		}
		have := res.Entries[0].GetAttributeValue("description")
		return have == mark, have, nil
	})
}

// AwaitIdle returns once the server is done with all that it was asked before.
// It answers a change of its access rules (aci) before it goes by them: by its
// plugins, after the answer.
func (s *DS389) AwaitIdle(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return poll(ctx, s.LDAPS()+" is not done with what it was asked", func() (bool, string, error) {
		res, err := conn.Search(ldap.NewSearchRequest("cn=monitor", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{"opsinitiated", "opscompleted"}, nil))
		if err != nil || len(res.Entries) == 0 {
			return false, "", err
		}
		began, err := strconv.Atoi(res.Entries[0].GetEqualFoldAttributeValue("opsinitiated"))
		if err != nil {
			return false, "", err
		}
		ended, err := strconv.Atoi(res.Entries[0].GetEqualFoldAttributeValue("opscompleted"))
		open := began - ended
		return err == nil && open == 1, fmt.Sprintf("%d requests are open", open), err // this one
	})
}

// poll asks done every 20 ms until it says so or ctx ends. seen is what it saw
// last.
func poll(ctx context.Context, what string, done func() (ok bool, seen string, err error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lab: %s (%s): %w", what, seen, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}
