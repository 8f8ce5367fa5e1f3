package rotation

import (
	"cmp"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/door"
	"rollcall/internal/kind"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// shelf is a Vault in memory that never fails.
type shelf struct {
	mu     sync.Mutex
	staged map[string]ownmount.Staged
	live   map[string]vault.Live
	was    map[string]map[int]vault.Live // each version that was written
	since  map[credential.Path]ownmount.Since
	looks  int              // at the versions of a secret
	clock  func() time.Time // its own; nil: it has none
}

func newShelf() *shelf {
	return &shelf{staged: map[string]ownmount.Staged{}, live: map[string]vault.Live{}, was: map[string]map[int]vault.Live{}}
}

func (s *shelf) Stage(_ context.Context, id string, next ownmount.Staged) (ownmount.Staged, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.staged[id]; ok {
		return have, false, nil
	}
	next.Version = 1
	s.note(id, next)
	return next, true, nil
}

func (s *shelf) ReadStaged(_ context.Context, id string) (ownmount.Staged, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.staged[id]
	if have.Freed {
		return ownmount.Staged{}, false, nil
	}
	return have, ok, nil
}

func (s *shelf) Restage(_ context.Context, id string, next ownmount.Staged) (ownmount.Staged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.staged[id].Version != next.Version {
		return ownmount.Staged{}, mismatch("restage")
	}
	next.Version++
	s.note(id, next)
	return next, nil
}

// note keeps an entry, and by which clock.
func (s *shelf) note(id string, next ownmount.Staged) {
	if s.clock != nil {
		next.Noted = s.clock()
	}
	s.staged[id] = next
}

func (s *shelf) ServerTime(context.Context) (time.Time, bool) {
	if s.clock == nil {
		return time.Time{}, false
	}
	return s.clock(), true
}

func (s *shelf) Unstage(ctx context.Context, id, _ string, _ int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, stays := s.staged[id].AfterProof(time.Now(), func() (time.Time, bool) { return s.ServerTime(ctx) })
	if delete(s.staged, id); stays {
		s.staged[id] = left
	}
	return nil
}

func (s *shelf) Release(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.staged, id)
	return nil
}

func (s *shelf) ReadLive(_ context.Context, p credential.Path, version int) (vault.Live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version > 0 {
		return s.was[p.String()][version], nil
	}
	return s.live[p.String()], nil
}

func (s *shelf) Activate(_ context.Context, p credential.Path, from vault.Live, value credential.Secret, _ string) (vault.Live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[p.String()].Version != from.Version {
		return vault.Live{}, mismatch("activate")
	}
	return s.write(p, vault.Live{Found: true, Value: value, Written: time.Now()}), nil
}

func (s *shelf) Destroy(context.Context, credential.Path, []int, int, time.Time) (bool, error) {
	return true, nil
}
func (s *shelf) Versions(_ context.Context, p credential.Path) (vault.Versions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := vault.Versions{Newest: s.live[p.String()].Version, Written: map[int]time.Time{}}
	for n, l := range s.was[p.String()] {
		out.Written[n] = l.Written
	}
	s.looks++
	return out, nil
}

func (s *shelf) Keeping(context.Context, credential.Path) (vault.Keeping, error) {
	return vault.Keeping{Versions: 10}, nil
}

func (s *shelf) MountKeeping(context.Context, credential.Path) (vault.Keeping, error) {
	return vault.Keeping{Versions: 10}, nil
}

func (s *shelf) SinceActivated(_ context.Context, _ string, p credential.Path, _ vault.Live) (ownmount.Since, error) {
	return s.since[p], nil
}
func (s *shelf) HeldSince(_ context.Context, was ownmount.Placed, live vault.Live) (bool, error) {
	return was.Version == live.Version && was.Written.Equal(live.Written), nil
}
func (s *shelf) Carried(_ context.Context, was ownmount.Placed) (ownmount.Placed, error) {
	return was, nil
}
func (s *shelf) CampaignReleased(context.Context, string) (bool, time.Time, error) {
	return false, time.Time{}, nil
}

// put writes a value as somebody who knows nothing of Rollcall.
func (s *shelf) put(p credential.Path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(p, vault.Live{Found: true, Value: credential.NewSecret(value), Written: time.Now().Add(-time.Hour)})
}

func (s *shelf) write(p credential.Path, l vault.Live) vault.Live {
	at := p.String()
	l.Version = s.live[at].Version + 1
	s.live[at] = l
	if s.was[at] == nil {
		s.was[at] = map[int]vault.Live{}
	}
	s.was[at][l.Version] = l
	return l
}

// forget takes a version out of Vault for good.
func (s *shelf) forget(p credential.Path, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.was[p.String()], version)
}

// deleteAll deletes a secret with its metadata.
func (s *shelf) deleteAll(p credential.Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.was, p.String())
	delete(s.live, p.String())
}

// real is an OpenLDAP directory with accounts whose stolen values are in Vault.
type real struct {
	settings func(string) door.Settings // of doors; nil: nobody knows them
	*testing.T
	ca       *lab.CA
	slapd    *lab.Slapd
	others   []*lab.Slapd
	accounts []lab.Account
	store    *shelf
	conf     config.Directory
	meddle   func(op, server string) // before each call to the authority
	pass     int
	hidden   bool // bind.dn may not see userPassword

	bindPassword string // of another bind.dn than the binder
}

func newReal(t *testing.T, o lab.SlapdOptions) *real {
	t.Helper()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	r := &real{T: t, ca: ca, accounts: lab.SeedAccounts("svc", 7), store: newShelf(), meddle: func(string, string) {}}
	o.CA, o.Accounts = ca, r.accounts
	r.slapd = r.start(o)
	r.conf = config.Directory{
		Driver: config.OpenLDAP, Servers: []string{r.slapd.LDAPS()}, Base: r.slapd.BaseDN(), CA: r.slapd.CA,
		Bind: config.Bind{DN: r.slapd.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
		Set:  "exop", Connections: 8, Timeout: config.Duration(30 * time.Second),
	}
	return r
}

func (r *real) start(o lab.SlapdOptions) *lab.Slapd {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Minute)
	defer cancel()
	o.Dir = r.TempDir()
	s, err := lab.StartSlapd(ctx, o)
	require.NoError(r, err)
	r.Cleanup(func() { require.NoError(r, s.Stop(context.Background())) })
	return s
}

// join adds another server to those that are asked.
func (r *real) join(s *lab.Slapd) *lab.Slapd {
	r.others = append(r.others, s)
	r.conf.Servers = append(r.conf.Servers, s.LDAPS())
	return s
}

// meddled is the directory, with somebody who acts before each call.
type meddled struct {
	*ldappassword.Authority
	r *real
}

func (m meddled) Set(ctx context.Context, a kind.Account, new, old credential.Secret) error {
	m.r.meddle("set", m.Servers()[0])
	return m.Authority.Set(ctx, a, new, old)
}

func (m meddled) Try(ctx context.Context, server string, a kind.Account, v credential.Secret) (answer protocolAnswer, err error) {
	m.r.meddle("try", server)
	return m.Authority.Try(ctx, server, a, v)
}

func (m meddled) Offer(ctx context.Context, server string, a kind.Account, v credential.Secret) (answer protocolAnswer, err error) {
	m.r.meddle("offer", server)
	return m.Authority.Offer(ctx, server, a, v)
}

func (m meddled) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	m.r.meddle("accounts", server)
	return m.Authority.Accounts(ctx, server, cs)
}

func (m meddled) AccountsAfterSet(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	m.r.meddle("accounts", server)
	return m.Authority.AccountsAfterSet(ctx, server, cs)
}

// rotator is a process that remembers nothing.
func (r *real) rotator() *Rotator {
	c, err := directory.Open("corp", r.conf, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(cmp.Or(r.bindPassword, r.slapd.BinderPassword)), nil
	})
	require.NoError(r, err)
	a := ldappassword.New(c, config.PasswordPolicy{}, nil)
	r.Cleanup(func() { require.NoError(r, c.Close()) })
	r.pass++
	return &Rotator{Store: r.store, Authority: meddled{a, r}, Campaign: us, Pass: r.pass, Now: time.Now, Cache: NewPreparedCache()}
}

// credential is the nth account, whose value is in Vault.
func (r *real) credential(n int) credential.Credential {
	return r.named(r.slapd.AccountDN(r.accounts[n].UID), r.accounts[n].UID, r.accounts[n].Password)
}

func (r *real) named(dn, uid, password string) credential.Credential {
	id := r.attribute(r.slapd, dn, "entryUUID")
	p := credential.Path{Mount: "kv", Path: "apps/" + uid, Field: "password"}
	r.store.put(p, password)
	return credential.Credential{ID: "corp/" + id, Kind: credential.LDAPPassword, Authority: "corp", Subject: id, Name: dn, Paths: []credential.Path{p}, Named: []credential.Path{p},
		Spare: &credential.Path{Mount: "kv", Path: "rollcall/" + uid + "-" + id, Field: "password"}}
}

// run is one pass over a batch. then happens between Prepare and Apply.
func (r *real) run(cs []credential.Credential, then func()) []Applied {
	rot := r.rotator()
	rot.LookUp(r.Context(), cs)
	prepared := make([]Prepared, len(cs))
	for i, c := range cs {
		prepared[i] = rot.Prepare(r.Context(), c)
	}
	then()
	out := make([]Applied, len(cs))
	verdicts := make([]Verdict, len(cs))
	for i, c := range cs {
		if out[i] = (Applied{Applied: wire.Applied{Stop: prepared[i].Stop, Step: prepared[i].Step}}); prepared[i].Stop == nil {
			out[i] = rot.Apply(r.Context(), c, prepared[i].Attempt, prepared[i].Fresh)
		}
		verdicts[i] = Verdict{c, &out[i]}
	}
	rot.Confirm(r.Context(), verdicts)
	return out
}

func nothing() {}

func (r *real) admin(s *lab.Slapd, do func(*ldap.Conn) error) {
	conn, err := s.AdminConn(r.Context())
	require.NoError(r, err)
	defer conn.Close()
	require.NoError(r, do(conn))
}

func (r *real) attribute(s *lab.Slapd, dn, name string) (value string) {
	r.admin(s, func(conn *ldap.Conn) error {
		res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
		if err == nil {
			value = res.Entries[0].GetAttributeValue(name)
		}
		return err
	})
	return value
}

// login binds as somebody who has nothing to do with Rollcall, and keeps the
// connection.
func (r *real) login(s *lab.Slapd, dn, password string) (*ldap.Conn, error) {
	conn, err := ldap.DialURL(s.LDAP())
	require.NoError(r, err)
	r.Cleanup(func() { _ = conn.Close() })
	return conn, conn.Bind(dn, password)
}

func (r *real) logsIn(s *lab.Slapd, dn, password string) bool {
	_, err := r.login(s, dn, password)
	if err != nil {
		require.True(r, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), err)
	}
	return err == nil
}
